import type { IncomingMessage, OutgoingMessage } from "@sluice/shared/contract/message.ts";
import { expect, test } from "vitest";
import { type Clerk, RequestDesk } from "../../../edge/ingest/request-desk.ts";

const message = (topic: string, text = ""): IncomingMessage => ({
  client: "c",
  packetId: 1,
  qos: 1,
  dup: false,
  retain: false,
  topic,
  payload: Buffer.from(text),
  receivedAtUs: 0,
});

const outgoing = (payload: string): OutgoingMessage => ({ topic: "r", payload, qos: 1, retain: false });

function deskWith(answer: Clerk["answer"]) {
  const stored: string[] = [];
  const told: (string | Uint8Array)[] = [];
  const desk = new RequestDesk(
    {
      put: ({ topic }, settled) => {
        stored.push(topic);
        settled(undefined);
      },
    },
    { isRequest: (topic) => topic === "ask", answer, turnAway: async () => outgoing("busy") },
  );
  desk.replyThrough(({ payload }) => told.push(payload));
  return { desk, stored, told };
}

test("a question is acknowledged at once, answered and not stored; all else is stored", async () => {
  const { desk, stored, told } = deskWith(({ payload }) =>
    Promise.resolve(outgoing(Buffer.from(payload).toString())),
  );
  const settled: (Error | undefined)[] = [];
  const payload = Buffer.from("q");
  desk.put({ ...message("ask"), payload }, (error) => settled.push(error));
  payload.fill(0); // The source uses its bytes again after the call.
  desk.put(message("plant/p1"), (error) => settled.push(error));
  expect(settled).toEqual([undefined, undefined]);
  await Promise.resolve();
  expect(stored).toEqual(["plant/p1"]);
  expect(told.map(String)).toEqual(["q"]);
});

test("more questions at once than can be answered are turned away, and later ones are answered again", async () => {
  const open: (() => void)[] = [];
  const { desk, told } = deskWith(
    () => new Promise((resolve) => open.push(() => resolve(outgoing("answer")))),
  );
  for (let i = 0; i < 300; i++) desk.put(message("ask"), () => undefined);
  await new Promise(setImmediate);
  expect(told).toEqual(Array.from({ length: 44 }, () => "busy"));
  for (const answer of open) answer();
  await new Promise(setImmediate);
  expect(told.filter((text) => text === "answer")).toHaveLength(256);
  desk.put(message("ask"), () => undefined);
  open.at(-1)?.();
  await new Promise(setImmediate);
  expect(told.filter((text) => text === "answer")).toHaveLength(257);
});
