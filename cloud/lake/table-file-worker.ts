// Runs in its own thread: compressing a commit's rows takes as long as reading the next one's.
import { parentPort } from "node:worker_threads";
import { present } from "@sluice/shared/runtime/assert.ts";
import { encodeTableFile, type TableFileAnswer, type TableFileRequest } from "./table-file.ts";

const port = present(parentPort, "this module is the start of a worker thread");

port.on("message", (request: TableFileRequest) => {
  const answer = answerTo(request);
  const buffers = "file" in answer ? [ownBuffer(answer.file.body)] : [];
  port.postMessage(answer, buffers);
});

function answerTo({ id, stream, table }: TableFileRequest): TableFileAnswer {
  try {
    const file = encodeTableFile(stream, table);
    return { id, file: { ...file, body: Uint8Array.from(file.body) } };
  } catch (error) {
    return { id, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function ownBuffer({ buffer }: Uint8Array): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) return buffer;
  throw new TypeError("a copy has a buffer of its own");
}
