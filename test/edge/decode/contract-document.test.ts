import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deviceContractSchema } from "@sluice/shared/contract/device-contract.ts";
import { EVENT_KINDS } from "@sluice/shared/contract/event.ts";
import { QUARANTINE_REASONS } from "@sluice/shared/contract/quarantine.ts";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { UNITS } from "../../../edge/decode/unit-table.ts";

const document = readFileSync(join(import.meta.dirname, "../../../docs/contracts.md"), "utf8");
const [, example = ""] = /```yaml\n(.*?)```/s.exec(document) ?? [];

test("the example of the page is a contract, and uses every field that there is", () => {
  const [contract]: unknown[] = parse(example).decode.contracts;
  const parsed = deviceContractSchema.parse(contract);
  expect(Object.keys(parsed).sort()).toEqual(Object.keys(deviceContractSchema.shape).sort());
  const used = new Set(Object.values(parsed.metrics).flatMap((metric) => Object.keys(metric)));
  const fields = ["type", "unit", "sentUnit", "min", "max", "rateMaxHz", "staleAfterMs", "required"];
  expect([...used].sort()).toEqual(fields.toSorted());
  for (const field of [...fields, "unknownMetrics", "breaker"]) expect(document).toContain(`\`${field}\``);
});

test("the reasons, events and units that the page names are there", () => {
  const named = [...document.matchAll(/`([a-z]+\.[a-z_]+)`/g)].map(([, name = ""]) => name);
  const counters = [
    "withheld.breaker",
    "withheld.rate",
    "breakers.opened",
    "breakers.closed",
    "metrics.new",
    "watch.forgotten",
    "metrics.new_untold_readings",
    "decode.contracts",
  ];
  const known = new Set<string>([...EVENT_KINDS, ...QUARANTINE_REASONS, ...counters]);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
  const [, units = ""] = /\*\*Units\.\*\*(.*)/.exec(document) ?? [];
  const symbols = [...units.matchAll(/`([^`]+)`/g)].map(([, symbol = ""]) => symbol);
  expect(symbols.filter((symbol) => !symbol.startsWith("edge/") && !UNITS.has(symbol))).toEqual([]);
});
