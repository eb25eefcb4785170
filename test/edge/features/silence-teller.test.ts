import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { expect, test } from "vitest";
import { SilenceTeller } from "../../../edge/features/silence-teller.ts";

function setUp() {
  const stored: IncomingMessage[] = [];
  const settle: ((error: Error | undefined) => void)[] = [];
  const clock = { now: 1_000, nowUs: () => clock.now };
  const sink = {
    put: (message: IncomingMessage, settled: (error: Error | undefined) => void): void => {
      stored.push(message);
      settle.push(settled);
    },
  };
  return { stored, settle, clock, teller: new SilenceTeller({ gateway: "site-1", clock, sink }) };
}

test("a message is put once windows are due, and none before", () => {
  const { stored, clock, teller } = setUp();
  teller.tell(undefined);
  teller.tell(1_001);
  expect(stored).toEqual([]);
  clock.now = 1_001;
  teller.tell(1_001);
  expect(stored).toMatchObject([{ topic: "sluice/site-1/silence", receivedAtUs: 1_001, dup: false }]);
});

test("one message at a time is on its way, and one that is refused is put again", () => {
  const { stored, settle, teller } = setUp();
  teller.tell(5);
  teller.tell(5);
  expect(stored).toHaveLength(1);
  settle[0]?.(new Error("the disk is full"));
  teller.tell(5);
  expect(stored).toHaveLength(2);
});
