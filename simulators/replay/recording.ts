import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createReadStream } from "node:fs";
import type { ReadStream } from "node:fs";
import { CsvParser } from "./csv.ts";
import type { CsvRecord } from "./csv.ts";
import type { ReplayMap } from "./replay-map.ts";
import { rowReader } from "./row.ts";
import type { BadRow, Row, RowReader } from "./row.ts";

/** Where the rows of a file are numbered from, for maps whose time is the row's number. */
export interface RecordingOptions {
  readonly path: string;
  readonly map: ReplayMap;
  readonly firstRowIndex?: number;
  readonly bad?: (row: BadRow) => void;
}

/** One file, row by row, with little of it in memory at a time. */
export class Recording {
  readonly path: string;
  readonly #map: ReplayMap;
  readonly #bad: (row: BadRow) => void;
  readonly #parser: CsvParser;
  readonly #stream: ReadStream;
  readonly #chunks: AsyncIterator<unknown>;
  #records: readonly CsvRecord[] = [];
  #at = 0;
  #read: RowReader | undefined;
  #headerPassed: boolean;
  #rowIndex: number;
  #ended = false;

  constructor({ path, map, firstRowIndex = 0, bad }: RecordingOptions) {
    this.path = path;
    this.#map = map;
    this.#bad = bad ?? (() => undefined);
    this.#parser = new CsvParser(map.delimiter);
    this.#stream = createReadStream(path, { encoding: "utf8", highWaterMark: 262_144 });
    this.#chunks = this.#stream[Symbol.asyncIterator]();
    this.#headerPassed = !map.header;
    this.#rowIndex = firstRowIndex;
  }

  /** The next row's number: how many rows there were, good and bad, from `firstRowIndex`. */
  get rowIndex(): number {
    return this.#rowIndex;
  }

  /**
   * The next good row; undefined at the end. Bad ones go to `bad`.
   *
   * Throws PipelineError "replay.file_refused" where the file cannot be read or lacks a column.
   */
  async next(): Promise<Row | undefined> {
    for (;;) {
      const record = this.#records[this.#at];
      if (record === undefined) {
        if (this.#ended) return undefined;
        await this.#fill();
        continue;
      }
      this.#at++;
      const row = this.#rowOf(record);
      if (row !== undefined) return row;
    }
  }

  close(): void {
    this.#stream.destroy();
  }

  #rowOf(record: CsvRecord): Row | undefined {
    if (this.#read === undefined) {
      const columns = this.#map.columns ?? record.fields.map((name) => name.trim());
      this.#read = rowReader(this.#map, columns, this.path);
    }
    if (!this.#headerPassed) {
      this.#headerPassed = true;
      return undefined;
    }
    const row = this.#read(record, this.#rowIndex);
    this.#rowIndex++;
    if (typeof row !== "string") return row;
    this.#bad({ file: this.path, line: record.line, problem: row });
    return undefined;
  }

  async #fill(): Promise<void> {
    let chunk: IteratorResult<unknown>;
    try {
      chunk = await this.#chunks.next();
    } catch (cause) {
      throw new PipelineError("replay.file_refused", `cannot read ${this.path}`, { cause });
    }
    this.#records = chunk.done === true ? this.#parser.end() : this.#parser.push(String(chunk.value));
    this.#at = 0;
    const { failure } = this.#parser;
    if (failure !== undefined)
      throw new PipelineError("replay.file_refused", `${this.path}:${failure.line}: ${failure.problem}`);
    if (chunk.done === true) this.#ended = true;
    if (chunk.done === true && this.#records.length === 0 && this.#read === undefined)
      throw new PipelineError("replay.file_refused", `${this.path} is empty`);
  }
}
