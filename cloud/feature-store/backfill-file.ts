import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { Lake } from "../lake/lake.ts";
import { checkOut, type OutFile } from "../lake/write-rows.ts";
import { type BackfillResult, type BackfillSpec, backfillVectors, planBackfill } from "./backfill.ts";
import type { Progress } from "./progress.ts";

/** Computes the vectors of a view from the readings in the lake into a file, with a column for each feature. */
export async function backfillFile(
  lake: Pick<Lake, "sql" | "readings" | "writeRows">,
  spec: BackfillSpec & { readonly out: OutFile },
  progress: Progress,
): Promise<readonly BackfillResult[]> {
  await checkOut(spec.out);
  const results: BackfillResult[] = [];
  const { view } = spec.view;
  async function* lines(): AsyncGenerator<string> {
    yield `${[...FACTS, ...view.features.map(({ name }) => name)].map(quoted).join(",")}\n`;
    for (const run of await planBackfill(lake, spec)) {
      const { gateway, sourceEpoch, sinceOffset } = run.record;
      let [vectors, readings] = [0, 0];
      for await (const batch of backfillVectors(lake, run, { view: spec.view, progress })) {
        vectors += batch.vectors.length;
        readings = batch.readings;
        yield batch.vectors.map((vector) => lineOf(vector, gateway, sourceEpoch)).join("");
      }
      results.push({
        gateway,
        sourceEpoch,
        epoch: run.epoch,
        sinceOffset,
        readings,
        vectors,
        added: vectors,
      });
    }
  }
  await lake.writeRows(lines(), spec.out);
  return results;
}

const FACTS = [
  "gateway",
  "epoch",
  "device",
  "device_type",
  "window_start",
  "window_end",
  "revision",
  "known_at",
  "closed_by",
  "reading_count",
  "withheld",
] as const;

function lineOf(vector: StoredVector, gateway: string, epoch: string): string {
  const cells = [
    quoted(gateway),
    epoch,
    quoted(vector.device),
    quoted(vector.deviceType),
    isoTime(vector.windowStartUs),
    isoTime(vector.windowEndUs),
    vector.revision,
    isoTime(vector.closedAtUs),
    vector.closedBy,
    vector.readingCount,
    vector.withheld,
    ...vector.values.map((value) => value ?? ""),
  ];
  return `${cells.join(",")}\n`;
}

/** As RFC 4180 says. */
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
