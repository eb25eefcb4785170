// Goal: what contracts promise over more than one message is judged as their definition says, and neither a restart nor
// where the messages are cut changes anything. Method: a model that keeps all it has seen and knows no efficiency.
import type { RawMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Decoded } from "../../../edge/decode/decoder.ts";
import { ModelBreaker, ModelRate } from "./contract-models.ts";
import { decoderOf, messageOf, START_US } from "./messages.ts";

const BREAKER = { windowReadings: 6, violationShareMax: 0.34 };
const STALE_AFTER_US = 5_000_000;
const SETTINGS = {
  routes: [{ topic: "{device}/{metric}", deviceType: "pump", payload: { format: "number" } }],
  contracts: [
    {
      deviceType: "pump",
      metrics: { a: { min: 0, rateMaxHz: 1, staleAfterMs: 5_000 }, b: { min: 0 } },
      breaker: BREAKER,
    },
  ],
};

interface Sent {
  readonly device: string;
  readonly metric: string;
  readonly gapMs: number;
  readonly isBad: boolean;
}

/** The last message of each run comes when all that is silent must have been told. */
const LAST: Sent = { device: "last", metric: "b", gapMs: 2_000, isBad: false };

const sent: fc.Arbitrary<readonly Sent[]> = fc
  .array(
    fc.record({
      device: fc.constantFrom("p1", "p2", "p3"),
      metric: fc.constantFrom("a", "b"),
      gapMs: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 1_200 }) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
      ),
      isBad: fc.oneof(
        { weight: 3, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    }),
    { maxLength: 120, size: "max" },
  )
  .map((all) => [...all, LAST]);

function messagesOf(all: readonly Sent[]): RawMessage[] {
  let receivedAtUs = START_US;
  return all.map(({ device, metric, gapMs, isBad }, offset) => {
    receivedAtUs += gapMs * 1_000;
    return { ...messageOf(offset, `${device}/${metric}`, isBad ? "-1" : "1"), receivedAtUs };
  });
}

/** What happens, message by message, each as a word with its offset. */
function modelled(all: readonly Sent[]): string[] {
  const breakers = new Map<string, ModelBreaker>();
  const rates = new Map<string, ModelRate>();
  const heard = new Map<string, { atUs: number; isStale: boolean }>();
  const said: string[] = [];
  for (const [offset, message] of messagesOf(all).entries()) {
    const { device = "", metric = "", isBad = false } = all[offset] ?? {};
    for (const [silent, state] of heard)
      if (!state.isStale && message.receivedAtUs > state.atUs + STALE_AFTER_US) {
        state.isStale = true;
        said.push(`device.stale ${silent}`);
      }
    const breaker = breakers.get(device) ?? new ModelBreaker(BREAKER);
    const rate = rates.get(device) ?? new ModelRate(1_000_000);
    breakers.set(device, breaker);
    rates.set(device, rate);
    if (metric === "a") {
      if (heard.get(device)?.isStale === true) said.push(`device.fresh ${device}`);
      // In the order in which the devices were first heard of at all.
      const state = { atUs: message.receivedAtUs, isStale: false };
      heard.set(device, state);
    }
    const isExcess = metric === "a" && !isBad && rate.exceeds(message.receivedAtUs);
    const change = breaker.judge(isBad || isExcess);
    if (change !== undefined) said.push(`breaker.${change} ${device}`);
    if (!isBad) said.push(`${offset} ${isExcess || breaker.isOpen ? "withheld" : "kept"}`);
  }
  return said.sort();
}

function told({ readings, events }: Decoded): string[] {
  return [
    ...events.filter(({ kind }) => kind !== "rate.exceeded").map(({ kind, device }) => `${kind} ${device}`),
    ...Array.from(
      readings.offset,
      (offset, i) => `${offset} ${readings.withheld[i] === 1 ? "withheld" : "kept"}`,
    ),
  ].sort();
}

test("breakers, rates and silence are judged as their definitions say", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(sent, (all) => {
      const said = told(decoderOf(SETTINGS).decode(messagesOf(all)));
      expect(said).toEqual(modelled(all));
      for (const line of said) {
        const [word = ""] = line
          .split(" ")
          .toReversed()
          .slice(line.startsWith("b") || line.startsWith("d") ? 1 : 0);
        seen.set(word, (seen.get(word) ?? 0) + 1);
      }
    }),
    { numRuns: 300 },
  );
  for (const word of ["kept", "withheld", "breaker.opened", "breaker.closed", "device.stale", "device.fresh"])
    expect([word, (seen.get(word) ?? 0) > 50]).toEqual([word, true]);
});

test("a restart in the middle changes nothing, nor does where the messages are cut", () => {
  const cuts = fc.array(fc.record({ place: fc.nat(120), isRestart: fc.boolean() }), { maxLength: 6 });
  fc.assert(
    fc.property(sent, cuts, (all, places) => {
      const messages = messagesOf(all);
      const whole = decoderOf(SETTINGS).decode(messages);
      let decoder = decoderOf(SETTINGS);
      const parts: Decoded[] = [];
      let from = 0;
      const sorted = places.toSorted((a, b) => a.place - b.place);
      for (const { place, isRestart } of [...sorted, { place: messages.length, isRestart: false }]) {
        parts.push(decoder.decode(messages.slice(from, place)));
        from = Math.max(from, Math.min(place, messages.length));
        if (!isRestart) continue;
        const state = structuredClone(decoder.state());
        decoder = decoderOf(SETTINGS);
        const through = from;
        decoder.restore(state, (first) => [messages.slice(first, through)]);
      }
      expect(parts.flatMap(({ events }) => events)).toEqual(whole.events);
      expect(parts.flatMap(({ readings }) => [...readings.withheld])).toEqual([...whole.readings.withheld]);
      const sums: Record<string, number> = {};
      for (const { counters } of parts)
        for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count;
      expect(sums).toMatchObject(whole.counters);
      const last = decoderOf(SETTINGS);
      last.decode(messages);
      expect(decoder.contractStatus(10)).toEqual(last.contractStatus(10));
    }),
    { numRuns: 200 },
  );
});
