import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { probeStore } from "@sluice/shared/store/probe.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

export interface OpenedStore {
  readonly store: ObjectStore;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function keysOf(store: ObjectStore, prefix: string, startAfter?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const info of store.list(prefix, startAfter === undefined ? {} : { startAfter }))
    keys.push(info.key);
  return keys;
}

async function bodyOf(store: ObjectStore, key: string): Promise<Uint8Array | undefined> {
  const result = await store.get(key);
  return result.state === "found" ? result.object.body : undefined;
}

/** What every ObjectStore must do; each test works below a prefix of its own, so the store may hold other things. */
export function objectStoreSuite(name: string, open: () => Promise<OpenedStore>, skipped = false): void {
  describe.skipIf(skipped)(`object store: ${name}`, () => {
    let opened: OpenedStore;
    let store: ObjectStore;
    const fresh = (): string => `suite/${newUuid()}/`;

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });

    afterAll(async () => opened.close());

    describeObjects(() => store, fresh);
    describeWriters(() => store, fresh);
    describeListing(() => store, fresh);
  });
}

function describeObjects(store: () => ObjectStore, fresh: () => string): void {
  test("what was put is what get and head give back", async () => {
    const key = `${fresh()}object.json`;
    const metadata = { sha256: "0f".repeat(32), "made-by": "a suite, v1" };
    expect(await store().put(key, bytes("hello"), { metadata })).toBe("created");
    const result = await store().get(key);
    const head = await store().head(key);
    expect(result).toEqual({
      state: "found",
      object: { body: bytes("hello"), etag: head?.etag, metadata },
    });
    expect(head).toMatchObject({ bytes: 5, metadata });
    expect(head?.etag).not.toBe("");
  });

  test("an object that is not there is missing everywhere, and deleting it is no error", async () => {
    const key = `${fresh()}nothing/here`;
    expect(await store().get(key)).toEqual({ state: "missing" });
    expect(await store().get(key, { range: { start: 0, end: 4 } })).toEqual({ state: "missing" });
    expect(await store().get(key, { range: { start: 4, end: 4 } })).toEqual({ state: "missing" });
    expect(await store().get(key, { unlessEtag: '"0"' })).toEqual({ state: "missing" });
    expect(await store().head(key)).toBeUndefined();
    await store().delete(key);
    expect(await keysOf(store(), key)).toEqual([]);
  });

  test("an empty body is an object", async () => {
    const key = `${fresh()}empty`;
    await store().put(key, new Uint8Array());
    expect(await bodyOf(store(), key)).toEqual(new Uint8Array());
    expect((await store().head(key))?.bytes).toBe(0);
    expect(await store().put(key, bytes("x"), { ifAbsent: true })).toBe("exists");
  });

  test("a body of 9 MB comes back whole", async () => {
    const key = `${fresh()}large`;
    const body = new Uint8Array(9 * 1_048_576).map((_, i) => (i * 31) % 251);
    await store().put(key, body);
    const got = await bodyOf(store(), key);
    expect(Buffer.compare(got ?? new Uint8Array(), body)).toBe(0);
  });

  test("an object does not change with the buffer that it was put from or got into", async () => {
    const key = `${fresh()}object`;
    const body = Buffer.from("abc");
    await store().put(key, body);
    body[0] = 0;
    (await bodyOf(store(), key))?.fill(0);
    expect(await bodyOf(store(), key)).toEqual(bytes("abc"));
  });

  test("a deleted object is gone, metadata and all", async () => {
    const key = `${fresh()}object`;
    await store().put(key, bytes("1"), { metadata: { a: "1" } });
    await store().delete(key);
    await store().delete(key);
    expect(await store().head(key)).toBeUndefined();
    expect(await store().put(key, bytes("1"), { ifAbsent: true })).toBe("created");
    expect((await store().head(key))?.metadata).toEqual({});
  });

  test("a range gives the bytes of it that there are", async () => {
    const key = `${fresh()}object`;
    await store().put(key, bytes("0123456789"), { metadata: { a: "1" } });
    const range = async (start: number, end: number): Promise<string | undefined> => {
      const result = await store().get(key, { range: { start, end } });
      return result.state === "found" ? new TextDecoder().decode(result.object.body) : undefined;
    };
    expect(await range(0, 10)).toBe("0123456789");
    expect(await range(3, 5)).toBe("34");
    expect(await range(8, 100)).toBe("89");
    expect(await range(10, 20)).toBe("");
    expect(await range(4, 4)).toBe("");
    const part = await store().get(key, { range: { start: 1, end: 2 } });
    expect(part).toMatchObject({ object: { etag: (await store().head(key))?.etag, metadata: { a: "1" } } });
  });

  test("an object is not sent again while it has the ETag that the reader has", async () => {
    const key = `${fresh()}object`;
    await store().put(key, bytes("one"));
    const etag = (await store().head(key))?.etag ?? "";
    expect(await store().get(key, { unlessEtag: etag })).toEqual({ state: "unchanged" });
    await store().put(key, bytes("two"));
    const changed = await store().get(key, { unlessEtag: etag });
    expect(changed).toMatchObject({ state: "found", object: { body: bytes("two") } });
  });

  test.each([
    "date=2026-01-01/a b%ü.parquet",
    "a+b/c&d/e=f/g~h/(i)/'j'/k!/l*/m;n/o:p/q@r/s,t/$",
    "per%20cent/%2F/100%",
    "日本/🙂/ﬀ",
    "..two-dots/...three/.hidden",
    "_delta_log/00000000000000000000.json",
    "trailing space /x",
    "a?b=c#d",
    '<tag>&amp;"quote"',
    "back\\slash",
  ])("a key with special characters is only a key: %s", async (name) => {
    const prefix = fresh();
    const key = `${prefix}${name}`;
    expect(await store().put(key, bytes(name), { ifAbsent: true })).toBe("created");
    expect(await store().put(key, bytes("other"), { ifAbsent: true })).toBe("exists");
    expect(await bodyOf(store(), key)).toEqual(bytes(name));
    expect(await keysOf(store(), prefix)).toEqual([key]);
    expect(await keysOf(store(), key.slice(0, -1))).toEqual([key]);
    await store().delete(key);
    expect(await keysOf(store(), prefix)).toEqual([]);
  });

  test.each([
    "",
    "/a",
    "a/",
    "a//b",
    "a/../b",
    "..",
    "a/./b",
    "a\u0000b",
    "a\nb",
    "\ud800",
    ".sluice/meta/x",
  ])("the key %j is refused before anything is asked of the store", async (key) => {
    const refused = expect.objectContaining({ code: "store.invalid_key" });
    await expect(store().put(key, bytes("x"))).rejects.toEqual(refused);
    await expect(store().get(key)).rejects.toEqual(refused);
    await expect(store().head(key)).rejects.toEqual(refused);
    await expect(store().delete(key)).rejects.toEqual(refused);
  });

  test("keys and levels have a longest length, and a prefix cannot climb out", async () => {
    const refused = expect.objectContaining({ code: "store.invalid_key" });
    await expect(store().put(`a/${"x".repeat(256)}`, bytes("x"))).rejects.toEqual(refused);
    await expect(store().put(`${"abcdefg/".repeat(120)}x`, bytes("x"))).rejects.toEqual(refused);
    await expect(keysOf(store(), "../")).rejects.toEqual(refused);
    await expect(keysOf(store(), "/")).rejects.toEqual(refused);
    const key = `${fresh()}${"ü".repeat(127)}`;
    await store().put(key, bytes("x"));
    expect(await bodyOf(store(), key)).toEqual(bytes("x"));
  });

  test("metadata that headers could not carry unchanged is refused", async () => {
    const refused = expect.objectContaining({ code: "store.invalid_metadata" });
    const key = `${fresh()}object`;
    for (const metadata of [{ Upper: "x" }, { a: "ü" }, { a: " x" }, { a: "" }, { a: "x".repeat(3_000) }])
      await expect(store().put(key, bytes("x"), { metadata })).rejects.toEqual(refused);
    expect(await store().head(key)).toBeUndefined();
  });

  test("a probe finds create-only puts honoured and leaves nothing behind", async () => {
    const before = await keysOf(store(), "probe/");
    await probeStore(store());
    expect(await keysOf(store(), "probe/")).toEqual(before);
  });
}

function describeWriters(store: () => ObjectStore, fresh: () => string): void {
  test("of twenty writers that create the same key at once, one wins and its object stays", async () => {
    const key = `${fresh()}contested`;
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store().put(key, bytes(`writer ${i}`), { ifAbsent: true, metadata: { writer: String(i) } }),
      ),
    );
    expect(results.filter((result) => result === "created")).toHaveLength(1);
    const winner = results.indexOf("created");
    expect(await store().get(key)).toMatchObject({
      state: "found",
      object: { body: bytes(`writer ${winner}`), metadata: { writer: String(winner) } },
    });
  });

  test("of twenty writers that create the same key with the same bytes at once, one wins", async () => {
    const key = `${fresh()}contested`;
    const results = await Promise.all(
      Array.from({ length: 20 }, () => store().put(key, bytes("same"), { ifAbsent: true })),
    );
    expect(results.filter((result) => result === "created")).toHaveLength(1);
    expect(await bodyOf(store(), key)).toEqual(bytes("same"));
  });

  test("a create-only put leaves what is there as it is", async () => {
    const key = `${fresh()}object`;
    await store().put(key, bytes("first"), { metadata: { a: "1" } });
    const before = await store().head(key);
    expect(await store().put(key, bytes("second"), { ifAbsent: true, metadata: { a: "2" } })).toBe("exists");
    expect(await store().head(key)).toEqual(before);
    expect(await bodyOf(store(), key)).toEqual(bytes("first"));
  });

  test("a create-only put of the same bytes leaves the metadata of what is there", async () => {
    const key = `${fresh()}object`;
    await store().put(key, bytes("same"), { metadata: { a: "1" } });
    expect(await store().put(key, bytes("same"), { ifAbsent: true })).toBe("exists");
    expect(await store().put(key, bytes("same"), { ifAbsent: true, metadata: { a: "2" } })).toBe("exists");
    expect((await store().head(key))?.metadata).toEqual({ a: "1" });
  });

  test("an overwrite replaces body and metadata together", async () => {
    const key = `${fresh()}object`;
    await store().put(key, bytes("one"), { metadata: { a: "1" } });
    await store().put(key, bytes("two"), { metadata: { b: "2" } });
    expect((await store().head(key))?.metadata).toEqual({ b: "2" });
    await store().put(key, bytes("two"), { metadata: { c: "3" } });
    expect((await store().head(key))?.metadata).toEqual({ c: "3" });
    await store().put(key, bytes("one"));
    expect(await store().get(key)).toMatchObject({ object: { body: bytes("one"), metadata: {} } });
    await store().put(key, bytes("two"));
    expect((await store().head(key))?.metadata).toEqual({});
  });

  test("a reader sees the old object or the new one whole, never a mixture", async () => {
    const key = `${fresh()}object`;
    const version = (n: number): Uint8Array => new Uint8Array(65_536 + n).fill(n);
    await store().put(key, version(0), { metadata: { version: "0" } });
    const versions = 25;
    const write = async (): Promise<void> => {
      for (let n = 1; n <= versions; n++)
        await store().put(key, version(n), { metadata: { version: String(n) } });
    };
    const read = async (): Promise<void> => {
      for (let last = 0; last < versions;) {
        const result = await store().get(key);
        if (result.state !== "found") throw new Error(`the object was ${result.state}`);
        const n = Number(result.object.metadata["version"]);
        expect(Buffer.compare(result.object.body, version(n))).toBe(0);
        expect(n).toBeGreaterThanOrEqual(last);
        last = n;
      }
    };
    await Promise.all([write(), read(), read()]);
  });
}

function describeListing(store: () => ObjectStore, fresh: () => string): void {
  test("a list gives sizes and begins where it is told", async () => {
    const prefix = fresh();
    for (const [i, name] of ["a", "b", "c"].entries())
      await store().put(`${prefix}${name}`, new Uint8Array(i));
    const infos = [];
    for await (const info of store().list(prefix, { startAfter: `${prefix}a` })) infos.push(info);
    expect(infos).toEqual([
      { key: `${prefix}b`, bytes: 1 },
      { key: `${prefix}c`, bytes: 2 },
    ]);
    expect(await keysOf(store(), prefix, `${prefix}c`)).toEqual([]);
    expect(await keysOf(store(), prefix, "zzz")).toEqual([]);
    expect(await keysOf(store(), prefix, "a")).toHaveLength(3);
    expect(await keysOf(store(), `${prefix}b`)).toEqual([`${prefix}b`]);
  });

  test("keys are listed in the order of their UTF-8 bytes, folders among objects", async () => {
    const prefix = fresh();
    const names = ["a", "a-b", "a.b/c", "ab/c", "ab0", "b/a", "b/b/c", "b/b0", "é", "\uffee", "🙂", "A", "_"];
    const inOrder = names
      .map((name) => `${prefix}${name}`)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const name of names) await store().put(`${prefix}${name}`, bytes("x"));
    expect(await keysOf(store(), prefix)).toEqual(inOrder);
    for (const after of [...inOrder, `${prefix}a/`, `${prefix}b/b`, `${prefix}b/zz`, `${prefix}ab/`]) {
      const expected = inOrder.filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
      expect([after, await keysOf(store(), prefix, after)]).toEqual([after, expected]);
    }
    for (const part of ["a", "a.", "b", "b/", "b/b", "b/b/", "z"]) {
      const expected = inOrder.filter((key) => key.startsWith(`${prefix}${part}`));
      expect([part, await keysOf(store(), `${prefix}${part}`)]).toEqual([part, expected]);
    }
  });

  test("a list of more than a thousand keys is whole and in order, from any place in it", async () => {
    const prefix = fresh();
    const keys = Array.from({ length: 1_050 }, (_, i) => `${prefix}p=${i % 3}/${String(i).padStart(6, "0")}`);
    for (let i = 0; i < keys.length; i += 50)
      await Promise.all(keys.slice(i, i + 50).map((key) => store().put(key, bytes("x"))));
    keys.sort();
    expect(await keysOf(store(), prefix)).toEqual(keys);
    expect(await keysOf(store(), prefix, keys[1_030])).toEqual(keys.slice(1_031));
    expect(await keysOf(store(), `${prefix}p=1/`)).toEqual(keys.filter((key) => key.includes("/p=1/")));
  });

  test("a reader may stop a list early", async () => {
    const prefix = fresh();
    for (const name of ["a", "b", "c"]) await store().put(`${prefix}${name}`, bytes("x"));
    for await (const info of store().list(prefix)) {
      expect(info.key).toBe(`${prefix}a`);
      break;
    }
    expect(await keysOf(store(), prefix)).toHaveLength(3);
  });
}
