import { renderCommit } from "@sluice/cloud/lake/render-commit.ts";
import { renderResult } from "@sluice/cloud/lake/render.ts";
import { expect, test } from "vitest";

const result = {
  columns: [
    { name: "device", type: "VARCHAR" },
    { name: "n", type: "BIGINT" },
    { name: "note", type: "VARCHAR" },
  ],
  rows: [
    ["pump-1", 12, 'say "hi", ü'],
    ["p2", 3.5, undefined],
    ["é€😀", undefined, ""],
  ],
};

test("a table is aligned, numbers to the right, and says how many rows it has", () => {
  expect(renderResult(result, "table")).toBe(
    [
      "device    n  note",
      "──────  ───  ───────────",
      'pump-1   12  say "hi", ü',
      "p2      3.5",
      "é€😀",
      "(3 rows)",
    ].join("\n"),
  );
});

test("a long value is cut, and control characters cannot move the terminal's cursor", () => {
  const rows = [["x".repeat(61)], ["a\u001b[2Jb\nc"]];
  const lines = renderResult({ columns: [{ name: "v", type: "VARCHAR" }], rows }, "table").split("\n");
  expect(lines.slice(2)).toEqual([`${"x".repeat(59)}…`, "a·[2Jb·c", "(2 rows)"]);
});

test("an answer without rows has its header", () => {
  expect(renderResult({ ...result, rows: [] }, "table")).toBe("device  n  note\n──────  ─  ────\n(0 rows)");
  expect(renderResult({ ...result, rows: [] }, "csv")).toBe("device,n,note");
  expect(renderResult({ ...result, rows: [] }, "json")).toBe("[]");
});

test("CSV quotes what needs it and tells an empty text from none", () => {
  expect(renderResult(result, "csv")).toBe('device,n,note\npump-1,12,"say ""hi"", ü"\np2,3.5,\né€😀,,""');
});

test("JSON has one object per row, with null for none and every column under a name of its own", () => {
  const columns = ["a", "a", "a_2", "b"].map((name) => ({ name, type: "DOUBLE" }));
  const text = renderResult({ columns, rows: [[1, undefined, NaN, [undefined, 2.5]]] }, "json");
  expect(JSON.parse(text)).toEqual([{ a: 1, a_2: null, a_2_2: "NaN", b: [null, 2.5] }]);
});

const nothing = {
  commits: 0,
  objects: 0,
  rows: 0,
  rowsByTable: {},
  bytes: 0,
  files: 0,
  deleted: 0,
  kept: 0,
  heldBytesMax: 0,
  unknownColumns: [],
  lost: [],
  setAside: [],
  gaps: [],
};

test("a commit report says what a person should know, a line each", () => {
  expect(renderCommit(nothing)).toBe("nothing to commit");
  const report = {
    ...nothing,
    commits: 1,
    objects: 2,
    rows: 7,
    rowsByTable: { readings: 6, labels: 1 },
    deleted: 3,
    heldBytesMax: 104_857_600,
    unknownColumns: [{ stream: "features" as const, gateway: "gw", columns: ["novelty"] }],
    lost: [{ key: "landing/a", reason: "torn", setAside: "quarantine/a" }],
    setAside: [{ key: "landing/b", reason: "foreign", setAside: "quarantine/b" }],
    gaps: [{ stream: "readings" as const, gateway: "gw", epoch: "e", from: 1, to: 2, waiting: 3 }],
  };
  expect(renderCommit(report).split("\n")).toEqual([
    "committed 7 rows (6 readings, 1 labels) of 2 landing objects, at most 100 MiB of them at once; deleted 3 landing objects past grace",
    "without columns: gateway gw lands features with novelty, which this version does not know. Upgrade the cloud before the gateways.",
    "waiting: readings 1 to 2 of gateway gw, epoch e, has not come; 3 objects wait behind it",
    "lost: landing/a: torn. Set aside as quarantine/a.",
    "set aside: landing/b: foreign. It lies at quarantine/b.",
  ]);
});
