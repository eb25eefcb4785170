import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { groupOf, messageOf } from "./buffer/fixtures.ts";
import { ClockSite, RIGHT_US } from "./clock-site.ts";

interface Sent {
  readonly device: string;
  readonly atUs: number;
  readonly a: number;
}

const sent = fc.record({
  device: fc.constantFrom("p1", "p2"),
  atUs: fc.integer({ min: 0, max: 25 }).map((n) => RIGHT_US + n),
  a: fc.constantFrom(1, 2),
});

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      group: fc.array(sent, { minLength: 1, maxLength: 12 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("run" as const, "checkpoint" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("restart" as const, "deliver" as const) }) },
);

/** Offsets of what is stored, and how many were duplicates and conflicts, by the rule as it is said. */
function model(
  log: readonly Sent[],
  windowMessages: number,
): { stored: number[]; duplicates: number; conflicts: number } {
  const counts = { stored: [] as number[], duplicates: 0, conflicts: 0 };
  for (const [offset, { device, atUs, a }] of log.entries()) {
    const from = Math.max(0, (Math.floor(offset / windowMessages) - 1) * windowMessages);
    const seen = log.slice(from, offset).filter((other) => other.device === device && other.atUs === atUs);
    if (seen.some((other) => other.a === a)) counts.duplicates += 1;
    else {
      counts.stored.push(offset);
      if (seen.length > 0) counts.conflicts += 1;
    }
  }
  return counts;
}

function run(
  site: ClockSite,
  commands: readonly (typeof command extends fc.Arbitrary<infer C> ? C : never)[],
): Sent[] {
  const log: Sent[] = [];
  for (const each of commands)
    if (each.do === "send") {
      site.send(each.group);
      log.push(...each.group);
    } else if (each.do === "checkpoint") {
      site.run();
      site.pipeline.checkpoint();
    } else site[each.do]();
  site.run();
  return log;
}

/*
 * Goal: each reading is stored once, however it is sent again, and a restart forgets nothing of what decides that.
 * Method: the real log, buffer and pipeline on random commands, with deliveries so that old messages are pruned,
 * against the rule as it is said.
 */
test("a reading that is sent again in another packet is stored once, wherever the gateway is restarted", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 25, size: "max" }),
      fc.integer({ min: 1, max: 30 }),
      (commands, window) => {
        const dir = mkdtempSync(join(tmpdir(), "sluice-duplicates-"));
        const site = new ClockSite(dir, RIGHT_US, { duplicateWindowMessages: window });
        try {
          const expected = model(run(site, commands), window);
          expect(site.readings().flatMap((block) => [...block.offset])).toEqual(expected.stored);
          expect(site.counters["duplicates"] ?? 0).toBe(expected.duplicates);
          expect(site.counters["conflicts"] ?? 0).toBe(expected.conflicts);
        } finally {
          site.close();
          rmSync(dir, { recursive: true });
        }
      },
    ),
    { numRuns: 15 },
  );
});

test("a redelivery is recognised after a restart, although the lake has everything", () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-duplicates-"));
  const site = new ClockSite(dir, RIGHT_US, { duplicateWindowMessages: 0 });
  const sentAt = (n: number, dup = false): IncomingMessage =>
    messageOf(`{"t":${RIGHT_US + n},"a":1${" ".repeat(900)}}`, { packetId: n + 1, dup });
  for (let n = 0; n < 300; n++) site.log.append(groupOf([sentAt(n)])); // Some segments of 64 KiB.
  site.run();
  site.deliver();
  site.pipeline.checkpoint();
  expect(site.log.read(0, { messages: 1, bytes: 1 })[0]?.offset).toBeGreaterThan(0);
  site.restart();
  const again = Array.from({ length: 100 }, (_, i) => sentAt(200 + i, true)); // As far back as the filter reaches.
  expect(site.log.append(groupOf(again))).toMatchObject({ count: 0, duplicates: 100 });
  site.close();
  rmSync(dir, { recursive: true });
});

test("messages that a restart needs stay on disk after they were delivered, and go when it can do without", () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-duplicates-"));
  const windowMessages = 1_000;
  const site = new ClockSite(dir, RIGHT_US, { duplicateWindowMessages: windowMessages });
  const group = (from: number): Sent[] =>
    Array.from({ length: 500 }, (_, i) => ({ device: "p1", atUs: RIGHT_US + from + i, a: 1 }));
  for (let from = 0; from < 5_500; from += 500) site.send(group(from));
  site.run();
  site.deliver();
  site.pipeline.checkpoint();
  expect(site.log.stats().segments).toBeLessThan(9);
  const [oldest] = site.log.read(0, { messages: 1, bytes: 1 });
  expect(oldest?.offset).toBeGreaterThan(2_000);
  expect(oldest?.offset).toBeLessThanOrEqual(4_000); // Where the generation before the present one began.
  site.restart();
  site.send(group(4_000)); // All of it is known.
  site.send(group(2_500)); // Nothing of it any more.
  site.run();
  expect(site.counters).toMatchObject({ duplicates: 500, readings: 6_000 });
  site.close();
  rmSync(dir, { recursive: true });
});
