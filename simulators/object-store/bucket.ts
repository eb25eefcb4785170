import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** What is kept of an object beside its body. */
export interface ObjectHeader {
  readonly key: string;
  /** Quoted, as HTTP wants it. */
  readonly etag: string;
  readonly bytes: number;
  readonly contentType: string;
  readonly modifiedAtUs: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Checksum headers as they came. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** Objects by key. Everything happens at once, so that a condition and the write after it are one step. */
export interface Bucket {
  header(key: string): ObjectHeader | undefined;
  body(key: string): Uint8Array;
  write(header: ObjectHeader, body: Uint8Array): void;
  remove(key: string): void;
  /** All keys in the order of their UTF-8 bytes. */
  keys(): readonly string[];
}

/** An index of headers with its keys in order, sorted again only after a change. */
class Index {
  readonly #headers = new Map<string, ObjectHeader>();
  #sorted: readonly string[] | undefined;

  get(key: string): ObjectHeader | undefined {
    return this.#headers.get(key);
  }

  set(header: ObjectHeader): void {
    if (!this.#headers.has(header.key)) this.#sorted = undefined;
    this.#headers.set(header.key, header);
  }

  delete(key: string): void {
    if (this.#headers.delete(key)) this.#sorted = undefined;
  }

  keys(): readonly string[] {
    this.#sorted ??= [...this.#headers.keys()]
      .map((key) => ({ key, bytes: Buffer.from(key) }))
      .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
      .map(({ key }) => key);
    return this.#sorted;
  }
}

export function memoryBucket(): Bucket {
  const index = new Index();
  const bodies = new Map<string, Uint8Array>();
  return {
    header: (key) => index.get(key),
    body: (key) => bodies.get(key) ?? new Uint8Array(),
    write: (header, body) => {
      index.set(header);
      bodies.set(header.key, body);
    },
    remove: (key) => {
      index.delete(key);
      bodies.delete(key);
    },
    keys: () => index.keys(),
  };
}

/** One file per object: its header as a line of JSON, then its body. Files are named by the hash of the key. */
export function folderBucket(folder: string): Bucket {
  const index = new Index();
  const pathOf = (key: string): string =>
    join(folder, `${createHash("sha256").update(key).digest("hex")}.object`);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder))
    if (name.endsWith(".object")) index.set(readFile(join(folder, name)).header);
  return {
    header: (key) => index.get(key),
    body: (key) => readFile(pathOf(key)).body,
    write: (header, body) => {
      const path = pathOf(header.key);
      writeFile(`${path}.new`, [Buffer.from(`${JSON.stringify(header)}\n`), body]);
      renameSync(`${path}.new`, path);
      index.set(header);
    },
    remove: (key) => {
      rmSync(pathOf(key), { force: true });
      index.delete(key);
    },
    keys: () => index.keys(),
  };
}

function readFile(path: string): { header: ObjectHeader; body: Uint8Array } {
  const bytes = readFileSync(path);
  const end = bytes.indexOf("\n");
  // Our own file, renamed into place only when whole.
  const header: ObjectHeader = JSON.parse(bytes.toString("utf8", 0, end));
  return { header, body: bytes.subarray(end + 1) };
}

function writeFile(path: string, parts: readonly Uint8Array[]): void {
  const file = openSync(path, "w");
  try {
    for (const part of parts) for (let at = 0; at < part.byteLength;) at += writeSync(file, part, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
