import { execFile, spawn } from "node:child_process";
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { fileError } from "@sluice/shared/store/folder-errors.ts";
import { FolderStore } from "@sluice/shared/store/folder.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { objectStoreSuite } from "../../suites/object-store.ts";

let dir: string;
let root: string;
let store: FolderStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-store-"));
  root = join(dir, "lake");
  store = new FolderStore(root);
});

afterEach(() => rm(dir, { recursive: true }));

objectStoreSuite("folder", async () => {
  const own = await mkdtemp(join(tmpdir(), "sluice-store-"));
  return { store: new FolderStore(join(own, "lake")), close: () => rm(own, { recursive: true }) };
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const failure = (code: string): unknown => expect.objectContaining({ code });

const writer = fileURLToPath(new URL("./folder-writer.ts", import.meta.url));

async function keysOf(from: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of from.list(prefix)) keys.push(key);
  return keys;
}

test("of several processes that create the same objects, one wins each of them and its bytes stay", async () => {
  const count = 40;
  const run = promisify(execFile);
  const names = ["a", "b", "c", "d"];
  const outputs = await Promise.all(
    names.map((name) => run(process.execPath, [writer, root, name, String(count)])),
  );
  const winners = new Map<string, string>();
  for (const [i, { stdout }] of outputs.entries()) {
    for (const key of stdout.split("\n").filter((line) => line !== "")) {
      expect(winners.has(key)).toBe(false);
      winners.set(key, names[i] ?? "");
    }
  }
  expect(winners.size).toBe(count);
  for (const [key, name] of winners)
    expect(await store.get(key)).toMatchObject({ object: { body: bytes(name), metadata: { writer: name } } });
});

test("after kill -9 of a writer every object is whole, and what it had put is there", async () => {
  const repeats = 200_000;
  const child = spawn(process.execPath, [writer, root, "w", "100000", String(repeats)]);
  const reported: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    reported.push(line);
    if (reported.length === 30) child.kill("SIGKILL");
  }
  const reopened = new FolderStore(root);
  const keys = await keysOf(reopened);
  expect(keys).toEqual(expect.arrayContaining(reported));
  expect(keys.length).toBeLessThanOrEqual(reported.length + 1);
  for (const key of keys)
    expect(await reopened.head(key)).toMatchObject({ bytes: repeats, metadata: { writer: "w" } });
});

test("other programs see the objects as plain files and nothing else but one hidden folder", async () => {
  await store.put("tables/readings/date=2026-01-01/a.parquet", bytes("rows"), { metadata: { sha256: "00" } });
  await store.put("tables/readings/_delta_log/00.json", bytes("{}"));
  await store.put("tables/readings/_delta_log/00.json", bytes("{ }"));
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  const seen = files.filter((file) => file.isFile() && !file.parentPath.includes(".sluice"));
  expect(seen.map((file) => file.name).sort()).toEqual(["00.json", "a.parquet"]);
  expect((await readdir(root)).sort()).toEqual([".sluice", "tables"]);
  expect(await readdir(join(root, ".sluice", "tmp"))).toEqual([]);
  expect(await readFile(join(root, "tables/readings/date=2026-01-01/a.parquet"), "utf8")).toBe("rows");
});

test("a file that another program put there is an object", async () => {
  await mkdir(join(root, "in"), { recursive: true });
  await writeFile(join(root, "in", "foreign.csv"), "a,b");
  await symlink(join(root, "in", "foreign.csv"), join(root, "in", "link.csv"));
  expect(await keysOf(store)).toEqual(["in/foreign.csv"]);
  expect(await store.get("in/foreign.csv")).toMatchObject({ object: { body: bytes("a,b"), metadata: {} } });
  expect(await store.put("in/foreign.csv", bytes("x"), { ifAbsent: true })).toBe("exists");
});

test("what a killed writer left is never listed, and is cleared away only when it is old", async () => {
  await store.put("a", bytes("1"));
  const tmp = join(root, ".sluice", "tmp");
  await writeFile(join(tmp, "old"), "half");
  await utimes(join(tmp, "old"), 1_000_000_000, 1_000_000_000);
  await writeFile(join(tmp, "new"), "half");
  const reopened = new FolderStore(root);
  expect(await keysOf(reopened)).toEqual(["a"]);
  expect(await readdir(tmp)).toEqual(["new"]);
});

test("a writer that was killed before its object had a name leaves no object, whatever it left", async () => {
  await store.put("a", bytes("1"), { metadata: { a: "1" } });
  // Everything up to the link: metadata is there, the body is not.
  await rm(join(root, "a"));
  expect(await store.get("a")).toEqual({ state: "missing" });
  expect(await store.put("a", bytes("1"), { ifAbsent: true })).toBe("created");
  expect((await store.head("a"))?.metadata).toEqual({});
});

test("a copied lake keeps the metadata of its objects", async () => {
  await store.put("a/b", bytes("1"), { metadata: { sha256: "0a" } });
  const before = await store.head("a/b");
  await cp(root, join(dir, "copy"), { recursive: true });
  expect(await new FolderStore(join(dir, "copy")).head("a/b")).toEqual(before);
});

test("a lake that is away is an error, not an empty lake, and is there again when it is back", async () => {
  await store.put("a", bytes("1"));
  await rename(root, join(dir, "elsewhere"));
  await mkdir(root);
  await expect(store.get("a")).rejects.toEqual(failure("store.missing"));
  await expect(store.head("a")).rejects.toEqual(failure("store.missing"));
  await expect(store.put("b", bytes("1"))).rejects.toEqual(failure("store.missing"));
  await expect(store.delete("a")).rejects.toEqual(failure("store.missing"));
  await expect(keysOf(store)).rejects.toEqual(failure("store.missing"));
  await rm(root, { recursive: true });
  await rename(join(dir, "elsewhere"), root);
  expect(await keysOf(store)).toEqual(["a"]);
});

test("a folder whose parent is missing is not made, and is opened once the parent is there", async () => {
  const deep = new FolderStore(join(dir, "mount", "lake"));
  await expect(deep.put("a", bytes("1"))).rejects.toEqual(
    expect.objectContaining({
      code: "store.missing",
      message: expect.stringContaining(join("mount", "lake")),
    }),
  );
  await mkdir(join(dir, "mount"));
  expect(await deep.put("a", bytes("1"))).toBe("created");
});

test("a path that is a file is refused with its name", async () => {
  await writeFile(join(dir, "file"), "");
  await expect(new FolderStore(join(dir, "file")).put("a", bytes("1"))).rejects.toEqual(
    failure("store.missing"),
  );
});

test("a key cannot be an object and a folder of objects", async () => {
  await store.put("a/b", bytes("1"));
  await expect(store.put("a", bytes("1"))).rejects.toEqual(failure("store.invalid_key"));
  await expect(store.put("a", bytes("1"), { ifAbsent: true })).rejects.toEqual(failure("store.invalid_key"));
  await expect(store.put("a/b/c", bytes("1"))).rejects.toEqual(failure("store.invalid_key"));
  expect(await store.get("a")).toEqual({ state: "missing" });
  expect(await store.get("a/b/c")).toEqual({ state: "missing" });
  expect(await keysOf(store, "a/b/")).toEqual([]);
  expect(await keysOf(store)).toEqual(["a/b"]);
});

test("damaged metadata is an error that names the file, not an object without metadata", async () => {
  await store.put("a", bytes("1"), { metadata: { a: "1" } });
  const meta = join(root, ".sluice", "meta");
  const [file] = (await readdir(meta, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  await writeFile(join(file?.parentPath ?? "", file?.name ?? ""), "{");
  await expect(store.head("a")).rejects.toEqual(
    expect.objectContaining({
      code: "store.unavailable",
      message: expect.stringContaining(file?.name ?? "?"),
    }),
  );
});

test.each([
  ["EACCES", "store.denied"],
  ["EROFS", "store.denied"],
  ["ENOENT", "store.missing"],
  ["ENOSPC", "store.unavailable"],
  ["EIO", "store.unavailable"],
  ["ESTALE", "store.unavailable"],
  ["ETIMEDOUT", "store.timeout"],
  ["ENOTSUP", "store.no_conditional_put"],
])("the failure %s of the file system means %s and says what to do", (errno, code) => {
  const error = fileError(Object.assign(new Error(errno), { code: errno }), "put a");
  expect(error).toBeInstanceOf(PipelineError);
  expect(error).toMatchObject({ code, message: "cannot put a", hint: expect.stringMatching(/\.$/) });
});

test("a mistake of ours is not taken for one of the file system", () => {
  const mistake = new TypeError("x is not a function");
  expect(fileError(mistake, "put a")).toBe(mistake);
});
