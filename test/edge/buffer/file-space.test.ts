import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asideBytes, shrink } from "../../../edge/buffer/file-space.ts";
import { holdSnapshot, openSqlite } from "../../../edge/buffer/sqlite-file.ts";
import { tempFolder } from "./fixtures.ts";

test("a long write-ahead log is folded into its file and cut, unless somebody is reading, who is not waited for", () => {
  const path = join(tempFolder(), "some.db");
  const logBytes = (): number => statSync(`${path}-wal`).size;
  const file = openSqlite(path);
  file.exec("CREATE TABLE t (body BLOB)");
  expect(shrink(file, 0)).toBe(false); // So short a log is let alone.
  const insert = file.prepare("INSERT INTO t VALUES (zeroblob(3000000))");
  insert.run();
  const release = holdSnapshot(path);
  insert.run();
  expect(shrink(file, 0)).toBe(false);
  expect(logBytes()).toBeGreaterThan(3_000_000);
  expect(file.pragma("busy_timeout", { simple: true })).toBe(5_000);
  release();
  expect(shrink(file, 0)).toBe(true);
  expect(logBytes()).toBe(0);
  file.close();
});

test("what was set aside counts, and what was saved of it by hand", () => {
  const dir = tempFolder();
  for (const name of [
    "a.db",
    "a.db.damaged",
    "a.db.damaged-2",
    "a.db.damaged-wal",
    "a.db.repaired",
    "a.db-wal",
  ])
    writeFileSync(join(dir, name), "12345");
  expect(asideBytes(dir)).toBe(4 * 5);
});
