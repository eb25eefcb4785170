import { type Clock, systemClock } from "@sluice/shared/runtime/clock.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue } from "../../../edge/ingest/fair-queue.ts";
import { Logins, type Login, networkOf } from "../../../edge/ingest/logins.ts";
import { hashPassword, parseHash, type PasswordHash, verifyPassword } from "../../../edge/ingest/password.ts";
import type { Users } from "../../../edge/ingest/users-file.ts";

const LIMITS = { failedLoginsPerMinMax: 3, passwordCacheS: 60 };

/** A clock that stands still, in which a rest takes no time and is noted. */
class StandingClock implements Clock {
  us = 1_000_000_000;
  readonly rests: number[] = [];
  nowUs = (): number => this.us;
  monotonicUs = (): number => this.us;
  sleep = (ms: number): Promise<void> => {
    this.rests.push(ms);
    return Promise.resolve();
  };
}

async function usersOf(passwords: Readonly<Record<string, string>>): Promise<Users> {
  const users = new Map<string, PasswordHash>();
  for (const [name, password] of Object.entries(passwords)) {
    const hash = parseHash(await hashPassword(password, { ln: 1, r: 1, p: 1 }));
    if (hash !== undefined) users.set(name, hash);
  }
  return users;
}

const login = (username: string, password: string, options: Partial<Login> = {}): Login => ({
  username,
  password: Buffer.from(password),
  address: "192.0.2.1",
  isWanted: () => true,
  ...options,
});

/** Counts how often a password was really checked. */
function counted(): { readonly verify: typeof verifyPassword; readonly count: () => number } {
  let count = 0;
  return {
    verify: (password, hash) => {
      count++;
      return verifyPassword(password, hash);
    },
    count: () => count,
  };
}

test("right is right and wrong is wrong, for names that are there and names that are not", async () => {
  const users = await usersOf({ ada: "one", bob: "two" });
  const logins = new Logins(systemClock, LIMITS);
  expect(await logins.check(login("ada", "one"), users)).toBe("right");
  expect(await logins.check(login("ada", "two"), users)).toBe("wrong");
  expect(await logins.check(login("eve", "one"), users)).toBe("wrong");
  expect(await logins.check(login("ada", ""), users)).toBe("wrong");
  expect(await logins.check(login("ada", "one"), new Map())).toBe("wrong");
});

test("a name that is not there costs a check like one that is", async () => {
  const users = await usersOf({ ada: "one" });
  const { verify, count } = counted();
  const logins = new Logins(systemClock, LIMITS, verify);
  await logins.check(login("eve", "one"), users);
  expect(count()).toBe(1);
});

test("a right password is checked once, until it is too old or has changed", async () => {
  const clock = new StandingClock();
  const { verify, count } = counted();
  const logins = new Logins(clock, LIMITS, verify);
  const users = await usersOf({ ada: "one" });
  for (let i = 0; i < 100; i++) expect(await logins.check(login("ada", "one"), users)).toBe("right");
  expect(count()).toBe(1);
  clock.us += 60_000_000;
  expect(await logins.check(login("ada", "one"), users)).toBe("right");
  expect(count()).toBe(2);
  expect(await logins.check(login("ada", "one"), await usersOf({ ada: "three" }))).toBe("wrong");
});

test("too many wrong passwords from one address are not looked at, and time heals", async () => {
  const clock = new StandingClock();
  const { verify, count } = counted();
  const logins = new Logins(clock, LIMITS, verify);
  const users = await usersOf({ ada: "one", bob: "two" });
  const guess = (): Promise<string> => logins.check(login("ada", "guess"), users);
  expect([await guess(), await guess(), await guess(), await guess()]).toEqual([
    "wrong",
    "wrong",
    "wrong",
    "slowed",
  ]);
  expect(count()).toBe(3);
  // Others behind the same address, and the same user from elsewhere, are not held up.
  expect(await logins.check(login("bob", "two"), users)).toBe("right");
  expect(await logins.check(login("ada", "one", { address: "192.0.2.2" }), users)).toBe("right");
  clock.us += 20_000_000;
  expect(await guess()).toBe("wrong");
  expect(await guess()).toBe("slowed");
});

test("guesses at the same time count before they are answered", async () => {
  const users = await usersOf({ ada: "one" });
  const logins = new Logins(systemClock, LIMITS);
  const answers = await Promise.all(Array.from({ length: 20 }, () => logins.check(login("ada", "x"), users)));
  expect(answers.filter((answer) => answer === "wrong")).toHaveLength(3);
  expect(answers.filter((answer) => answer === "slowed")).toHaveLength(17);
});

test("guessing many names from one address comes to an end too", async () => {
  const users = await usersOf({ ada: "one" });
  const logins = new Logins(systemClock, LIMITS);
  const answers: string[] = [];
  for (let i = 0; i < 50; i++) answers.push(await logins.check(login(`user-${i}`, "x"), users));
  expect(answers.filter((answer) => answer === "wrong")).toHaveLength(30);
});

test("right passwords are not held against their address, however many devices share it", async () => {
  const names = Array.from({ length: 200 }, (_, i) => `device-${i}`);
  const users = await usersOf(Object.fromEntries(names.map((name) => [name, "one"])));
  const logins = new Logins(systemClock, LIMITS);
  for (const name of names) expect(await logins.check(login(name, "one"), users)).toBe("right");
});

test("a device whose password is remembered gets in while its address is being guessed from", async () => {
  const users = await usersOf({ ada: "one" });
  const logins = new Logins(systemClock, LIMITS);
  expect(await logins.check(login("ada", "one"), users)).toBe("right");
  for (let i = 0; i < 10; i++) await logins.check(login("ada", "x"), users);
  expect(await logins.check(login("ada", "x"), users)).toBe("slowed");
  expect(await logins.check(login("ada", "one"), users)).toBe("right");
});

test("whoever is gone when its turn comes costs nothing", async () => {
  const users = await usersOf({ ada: "one" });
  const { verify, count } = counted();
  const logins = new Logins(systemClock, LIMITS, verify);
  expect(await logins.check(login("ada", "one", { isWanted: () => false }), users)).toBe("busy");
  expect(count()).toBe(0);
});

test("after a wrong password it rests for as long as the check took, after a right one it does not", async () => {
  const clock = new StandingClock();
  const users = await usersOf({ ada: "one" });
  const logins = new Logins(clock, LIMITS, (password, hash) => {
    clock.us += 80_000;
    return verifyPassword(password, hash);
  });
  await logins.check(login("ada", "one"), users);
  expect(clock.rests).toEqual([]);
  await logins.check(login("ada", "x"), users);
  expect(clock.rests).toEqual([80]);
});

test("addresses take turns: whoever has a thousand waiting holds nobody up", async () => {
  const queue = new FairQueue(2_000);
  const done: string[] = [];
  const jobs = Array.from({ length: 1_000 }, () =>
    queue.run("flood", () => Promise.resolve(void done.push("flood"))),
  );
  jobs.push(queue.run("device", () => Promise.resolve(void done.push("device"))));
  await Promise.all(jobs);
  expect(done.indexOf("device")).toBeLessThan(3);
});

test("one more than may wait is turned away at once, and a job that fails does not stop the others", async () => {
  const queue = new FairQueue(2);
  const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
  const first = queue.run("a", () => held);
  const second = queue.run("a", () => Promise.reject(new Error("no")));
  expect(await queue.run("b", () => Promise.resolve())).toBe(false);
  release(undefined);
  expect(await first).toBe(true);
  await expect(second).rejects.toThrow("no");
  expect(await queue.run("b", () => Promise.resolve())).toBe(true);
});

test("at most one job runs at a time, each exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 }), async (owners) => {
      const queue = new FairQueue(100);
      let running = 0;
      let ran = 0;
      await Promise.all(
        owners.map((owner) =>
          queue.run(owner, async () => {
            expect(++running).toBe(1);
            await new Promise((resolve) => setImmediate(resolve));
            running--;
            ran++;
          }),
        ),
      );
      expect(ran).toBe(owners.length);
    }),
    { numRuns: 30 },
  );
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["2001:db8:1:2::1", "2001:db8:1:2"],
  ["::1", "0:0:0:0"],
])("%s belongs to the network %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
