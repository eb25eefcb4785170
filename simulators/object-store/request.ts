import type { IncomingMessage } from "node:http";
import { S3Failure } from "./failure.ts";

/** The largest body that is held in memory: twice the part size that clients use for big uploads. */
const BODY_BYTES_MAX = 256 * 1_048_576;

/** An HTTP request as S3 sees it: path style, so the first level of the path is the bucket. */
export interface S3Request {
  readonly method: string;
  /** The decoded path, as it is signed. */
  readonly path: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export async function readRequest(incoming: IncomingMessage): Promise<S3Request> {
  const [rawPath = "/", rawQuery = ""] = (incoming.url ?? "/").split(/\?(.*)/s);
  const path = decode(rawPath);
  const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  const query = new Map(
    rawQuery
      .split("&")
      .filter((pair) => pair !== "")
      .map((pair): [string, string] => {
        const at = pair.indexOf("=");
        return at === -1 ? [decode(pair), ""] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
      }),
  );
  const headers = new Map(
    Object.entries(incoming.headers).map(([name, value]): [string, string] => [
      name,
      Array.isArray(value) ? value.join(",") : (value ?? ""),
    ]),
  );
  const method = incoming.method ?? "GET";
  return { method, path, bucket, key, query, headers, body: await readBody(incoming) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Failure(400, "InvalidURI", "Couldn't parse the specified URI.");
  }
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    const part: Buffer = Buffer.from(chunk);
    bytes += part.byteLength;
    if (bytes > BODY_BYTES_MAX)
      throw new S3Failure(400, "EntityTooLarge", `A body here has at most ${BODY_BYTES_MAX} bytes.`);
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}
