import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import type { ColumnTable } from "@sluice/shared/codec/columns.ts";
import { constantColumn } from "@sluice/cloud/lake/gather.ts";
import { encodeTableFile } from "@sluice/cloud/lake/table-file.ts";
import { tableFileThread } from "@sluice/cloud/lake/table-file-thread.ts";
import { expect, test } from "vitest";
import { readingBlock } from "./rows.ts";

function tableOf(messages: number): ColumnTable {
  const { count, columns } = decodeLanding(
    "readings",
    encodeLanding("readings", [readingBlock(0, messages)]),
  );
  const place = { gateway: constantColumn("gw-1", count), epoch: constantColumn("e", count) };
  return { count, columns: { ...place, ...columns } };
}

test("a file is the same whether it is encoded here or in the thread, and however many are under way", async () => {
  const expected = [30_000, 12_000, 10].map((messages) => encodeTableFile("readings", tableOf(messages)));
  const files = [30_000, 12_000, 10].map((messages) => tableFileThread.encode("readings", tableOf(messages)));
  expect(await Promise.all(files)).toEqual(expected);
});

test("a table that breaks our promises is an error of whoever asked, and the thread goes on", async () => {
  const { count, columns } = tableOf(30_000);
  const lacking = { ...columns };
  delete lacking["device"];
  await expect(tableFileThread.encode("readings", { count, columns: lacking })).rejects.toThrow(
    /device is built/,
  );
  expect((await tableFileThread.encode("readings", tableOf(30_000))).sha256).toHaveLength(64);
});
