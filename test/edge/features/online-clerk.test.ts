import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { OnlineClerk } from "../../../edge/features/online-clerk.ts";

const TOPIC = "sluice/gw/features/get";
const answer: OnlineAnswer = { view: "v", viewHash: "h", maxAgeMs: 1, vectors: [] };

const request = (body: unknown, change: Partial<IncomingMessage> = {}): IncomingMessage => ({
  client: "panel",
  packetId: 1,
  qos: 1,
  dup: false,
  retain: false,
  topic: TOPIC,
  payload: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  receivedAtUs: 0,
  ...change,
});

const clerk = (ask: (query: OnlineQuery) => Promise<OnlineAnswer> = () => Promise.resolve(answer)) =>
  new OnlineClerk("gw", ask);

const bodyOf = (message: { payload: string | Uint8Array } | undefined): unknown =>
  JSON.parse(String(message?.payload ?? "null"));

test("an answer goes to the client's own topic and carries the id of the request", async () => {
  const asked: OnlineQuery[] = [];
  const made = await clerk((query) => {
    asked.push(query);
    return Promise.resolve(answer);
  }).answer(request({ id: "7", view: "v", devices: ["p1"] }));
  expect(made).toMatchObject({ topic: "sluice/gw/features/reply/panel", qos: 1, retain: false });
  expect(bodyOf(made)).toEqual({ id: "7", ...answer });
  expect(asked).toEqual([{ view: "v", devices: ["p1"] }]);
});

test("an answer goes where the request says, but never outside the topics of answers", async () => {
  const to = async (body: object, change: Partial<IncomingMessage> = {}) =>
    (await clerk().answer(request({ view: "v", devices: ["p1"], ...body }, change)))?.topic;
  expect(await to({ replyTo: "dash-1" })).toBe("sluice/gw/features/reply/dash-1");
  const response = (topic: string) => ({ response: { topic, correlation: undefined } });
  expect(await to({}, response("sluice/gw/features/reply/x9"))).toBe("sluice/gw/features/reply/x9");
  expect(await to({}, response("plant/valve/set"))).toBe("sluice/gw/features/reply/panel");
  expect(await to({}, response("sluice/gw/features/reply/../../set"))).toBeUndefined();
  expect(await to({}, { client: "a/b" })).toBeUndefined();
  expect(await to({}, { client: "#" })).toBeUndefined();
});

test("nonsense is answered with what is wrong with it", async () => {
  const error = async (body: unknown) => bodyOf(await clerk().answer(request(body)));
  expect(await error("rubbish")).toMatchObject({ error: { message: "The request is not JSON." } });
  expect(await error({ view: "v", devices: [] })).toMatchObject({
    error: { code: "features.request_invalid", message: expect.stringContaining("devices is []") },
  });
  expect(await error({ view: "v", devices: ["p"], replyTo: "a/#" })).toMatchObject({
    error: { message: expect.stringContaining('replyTo is "a/#"') },
  });
});

test("what cannot be served is answered with the reason and the remedy", async () => {
  const refusing = clerk(() =>
    Promise.reject(
      new PipelineError("features.no_such_view", 'this gateway computes no view "v"', {
        hint: "It computes w.",
      }),
    ),
  );
  const made = await refusing.answer(request({ id: "1", view: "v", devices: ["p1"] }));
  expect(bodyOf(made)).toEqual({
    id: "1",
    error: {
      code: "features.no_such_view",
      message: 'this gateway computes no view "v"',
      hint: "It computes w.",
    },
  });
  expect(refusing.counters()).toEqual({ answered: 0, refused: 1, unanswerable: 0, misdirected: 0 });
});

test("a request to another gateway is left to it", async () => {
  const made = clerk();
  expect(made.isRequest("sluice/other/features/get")).toBe(true);
  expect(await made.answer(request({}, { topic: "sluice/other/features/get" }))).toBeUndefined();
  expect(made.counters().misdirected).toBe(1);
  expect(made.isRequest("sluice/gw/predictions/p1")).toBe(false);
});

test("whatever is sent, the clerk answers or counts, and never throws", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string()), fc.string(), async (body, client) => {
      const one = clerk();
      const made = await one.answer(request(body, { client }));
      const { refused, unanswerable, answered } = one.counters();
      expect(refused + unanswerable + answered).toBe(1);
      expect(made === undefined).toBe(unanswerable === 1);
    }),
    { numRuns: 300 },
  );
});
