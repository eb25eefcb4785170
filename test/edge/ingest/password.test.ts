import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  CHOSEN_COST,
  generatePassword,
  GENERATED_COST,
  hashPassword,
  parseHash,
  verifyPassword,
} from "../../../edge/ingest/password.ts";
import { formatUsers, parseUsers } from "../../../edge/ingest/users-file.ts";

const CHEAP = { ln: 1, r: 1, p: 1 };

async function hashed(password: string, cost = CHEAP): Promise<NonNullable<ReturnType<typeof parseHash>>> {
  const hash = parseHash(await hashPassword(password, cost));
  if (hash === undefined) throw new Error("a hash of ours can be read");
  return hash;
}

test("a password fits its own hash and no other password does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 40 }), fc.string({ maxLength: 40 }), async (one, other) => {
      const hash = await hashed(one);
      expect(await verifyPassword(Buffer.from(one), hash)).toBe(true);
      expect(await verifyPassword(Buffer.from(other), hash)).toBe(
        Buffer.from(one).equals(Buffer.from(other)),
      );
    }),
    { numRuns: 50 },
  );
});

test("the same password is never kept the same way twice", async () => {
  expect(await hashPassword("x", CHEAP)).not.toBe(await hashPassword("x", CHEAP));
});

test.each([CHOSEN_COST, GENERATED_COST])("a hash says what it cost: %j", async (cost) => {
  const hash = await hashed("correct horse", cost);
  expect(hash.text).toMatch(/^\$scrypt\$ln=\d+,r=8,p=1\$[\w-]{22}\$[\w-]{43}$/);
  expect(hash.cost).toEqual(cost);
  expect(await verifyPassword(Buffer.from("correct horse"), hash)).toBe(true);
});

test("another implementation of scrypt makes the same key (Python's hashlib, which uses OpenSSL's)", async () => {
  const hash = parseHash(
    "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGUuLg$yW4mhIlOoEW496uK3bXTIgJvoiHVZ7eo3xY_SZeKCgA",
  );
  if (hash === undefined) throw new Error("it can be read");
  expect(await verifyPassword(Buffer.from("pleaseletmein"), hash)).toBe(true);
});

test("a password longer than a kilobyte is not even looked at", async () => {
  const long = "x".repeat(1_025);
  expect(await verifyPassword(Buffer.from(long), await hashed(long))).toBe(false);
});

test("passwords that are made differ, are 24 characters, and fit in any terminal", () => {
  const made = Array.from({ length: 50 }, () => generatePassword());
  expect(new Set(made).size).toBe(50);
  for (const password of made) expect(password).toMatch(/^[\w-]{24}$/);
});

const GOOD = `$scrypt$ln=15,r=8,p=1$${"a".repeat(22)}$${"b".repeat(43)}`;

test.each([
  ["no hash", "secret"],
  ["more memory than a login may take", GOOD.replace("ln=15", "ln=20")],
  ["more rounds than a login may take", GOOD.replace("p=1", "p=50")],
  ["no cost", GOOD.replace("ln=15", "ln=0")],
  ["a short salt", GOOD.replace("a".repeat(22), "aa")],
  ["a short key", GOOD.slice(0, -1)],
  ["something after it", `${GOOD} `],
])("a hash with %s is refused", (_what, text) => {
  expect(parseHash(text)).toBeUndefined();
});

test("a users file is read as it was written", () => {
  const users = parseUsers(`# comment\n\npump-1:${GOOD}\r\nada@site:${GOOD}\n`, "users");
  expect([...users.keys()]).toEqual(["pump-1", "ada@site"]);
  expect([...parseUsers(formatUsers(users), "users").keys()]).toEqual(["ada@site", "pump-1"]);
});

test.each([
  ["a user without a hash", "pump-1", "does not begin with a user's name and a colon"],
  ["a password in the clear", "pump-1:hunter2", "has no password hash for pump-1 that can be checked"],
  ["a name with a wildcard", `+:${GOOD}`, "does not begin with a user's name and a colon"],
  ["a name with a slash", `a/b:${GOOD}`, "does not begin with a user's name and a colon"],
  ["a name twice", `a:${GOOD}\na:${GOOD}`, "line 2 names a a second time"],
])("a users file with %s is refused without showing the line", (_what, text, message) => {
  expect(() => parseUsers(text, "users")).toThrow(message);
  expect(() => parseUsers(text, "users")).not.toThrow(/hunter2|aaaa/);
});

test("keys are compared in constant time", () => {
  const source = readFileSync(join(import.meta.dirname, "../../../edge/ingest/password.ts"), "utf8");
  expect(source).toMatch(/timingSafeEqual\(await derive\(/);
});
