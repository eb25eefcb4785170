import { Worker } from "node:worker_threads";
import type { ColumnData, ColumnTable } from "@sluice/shared/codec/columns.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import {
  encodeTableFile,
  type TableFile,
  type TableFileAnswer,
  type TableFileRequest,
} from "./table-file.ts";

/** Rows from which on the way to another thread is worth it. */
const ROWS_MIN = 20_000;

interface Waiting {
  readonly resolve: (file: TableFile) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Encodes tables' files beside the event loop, in one thread for the process.
 *
 * The thread begins with the first large table, and keeps the process alive only while it has work. Where it dies, as
 * for lack of memory, those who wait get the error, and the next one begins a new thread.
 */
class TableFileThread {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** Takes the table's memory away: it must not be used any more. */
  encode(stream: Stream, table: ColumnTable): Promise<TableFile> {
    if (table.count < ROWS_MIN) return Promise.resolve(encodeTableFile(stream, table));
    const worker = (this.#worker ??= this.#start());
    const request: TableFileRequest = { id: ++this.#lastId, stream, table };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      worker.ref();
      worker.postMessage(request, Object.values(table.columns).flatMap(buffersOf));
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./table-file-worker.ts", import.meta.url));
    worker.on("message", (answer: TableFileAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) worker.unref();
      if ("file" in answer) waiting?.resolve(answer.file);
      else waiting?.reject(answer.error);
    });
    worker.on("error", (error) => this.#end(worker, error));
    worker.on("exit", (code) =>
      this.#end(worker, new Error(`the thread for table files ended with ${code}`)),
    );
    return worker;
  }

  #end(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const failure = error instanceof Error ? error : new Error(String(error));
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}

/** The buffers that can change hands without a copy. */
function buffersOf(data: ColumnData): readonly ArrayBuffer[] {
  if (data.kind === "numbers" || data.kind === "booleans") return plainBuffer(data.values);
  return data.kind === "strings" ? plainBuffer(data.indices) : [];
}

const plainBuffer = ({ buffer, byteLength }: ArrayBufferView): readonly ArrayBuffer[] =>
  buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];

export const tableFileThread = new TableFileThread();
