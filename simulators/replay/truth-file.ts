import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { truthLine } from "./message.ts";
import type { Row } from "./row.ts";

/** Writes what the label columns say of every row that will be published, with the times that it will have. */
export async function writeTruth(path: string, rows: AsyncIterable<Row>, shiftUs: number): Promise<void> {
  async function* lines(): AsyncGenerator<string> {
    for await (const row of rows) yield truthLine(row, shiftUs);
  }
  try {
    await pipeline(Readable.from(lines()), createWriteStream(path));
  } catch (cause) {
    throw new PipelineError("simulator.state_unwritable", `cannot write ${path}`, { cause });
  }
}
