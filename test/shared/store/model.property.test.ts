// Random commands against the simplest model, MemoryStore: on a folder, and on S3 while ordered faults happen.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { compareKeys } from "@sluice/shared/store/key.ts";
import { FolderStore } from "@sluice/shared/store/folder.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { S3Store } from "@sluice/shared/store/s3.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import type { FaultKind } from "@sluice/simulators/object-store/faults.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const KEYS = ["a", "b/c", "b/d", "b-", "é/ü%20", "z z/🙂"];

type Command =
  | {
      readonly do: "put";
      readonly key: string;
      readonly body: Uint8Array;
      readonly ifAbsent: boolean;
      readonly tag: string;
    }
  | { readonly do: "get"; readonly key: string; readonly start: number; readonly length: number }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "list"; readonly prefix: string; readonly startAfter: string };

const key = fc.constantFrom(...KEYS);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: fc.constant("put" as const),
    key,
    body: fc.uint8Array({ maxLength: 20 }),
    ifAbsent: fc.boolean(),
    tag: fc.constantFrom("", "1", "2"),
  }),
  fc.record({ do: fc.constant("get" as const), key, start: fc.nat(25), length: fc.nat(25) }),
  fc.record({ do: fc.constant("delete" as const), key }),
  fc.record({
    do: fc.constant("list" as const),
    prefix: fc.constantFrom("", "b", "b/", "é/"),
    startAfter: fc.constantFrom("", ...KEYS),
  }),
);

/** What a store answers, without the ETag, which each kind makes in its own way. */
async function run(store: ObjectStore, step: Command): Promise<unknown> {
  if (step.do === "put") {
    const { ifAbsent, tag } = step;
    return store.put(step.key, step.body, { ifAbsent, metadata: tag === "" ? {} : { tag } });
  }
  if (step.do === "delete") return store.delete(step.key);
  if (step.do === "get") {
    const range = { start: step.start, end: step.start + step.length };
    const part = await store.get(step.key, { range });
    const whole = await store.get(step.key);
    const head = await store.head(step.key);
    if (part.state !== "found" || whole.state !== "found" || head === undefined) return [part, whole, head];
    const unchanged = await store.get(step.key, { unlessEtag: head.etag });
    return [part.object.body, whole.object.body, whole.object.metadata, head.bytes, head.metadata, unchanged];
  }
  const infos = [];
  for await (const info of store.list(step.prefix, { startAfter: step.startAfter })) infos.push(info);
  return infos;
}

async function expectAgreement(
  store: ObjectStore,
  steps: readonly Command[],
  before: () => void = () => undefined,
): Promise<void> {
  const model = new MemoryStore();
  for (const step of steps) {
    before();
    expect(await run(store, step)).toEqual(await run(model, step));
  }
}

test("a folder answers any commands as the model does", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-store-"));
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 25 }), (steps) =>
      expectAgreement(new FolderStore(join(dir, String(runs++))), steps),
    ),
    { numRuns: 60 },
  );
  expect(runs).toBeGreaterThanOrEqual(60);
  await rm(dir, { recursive: true });
});

const fault: fc.Arbitrary<FaultKind | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom<FaultKind>(
    { kind: "cut" },
    { kind: "lost-reply" },
    { kind: "torn-read" },
    { kind: "refuse", status: 503, code: "SlowDown" },
    { kind: "refuse", status: 500, code: "InternalError" },
    { kind: "refuse", status: 409, code: "ConditionalRequestConflict" },
  ),
);

test("S3 answers any commands as the model does, whatever goes wrong between the tries", async () => {
  const server = await startObjectStore();
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 25 }),
      fc.array(fault, { minLength: 1, maxLength: 25 }),
      async (steps, faults) => {
        const settings = storeSettingsSchema.parse({
          kind: "s3",
          endpoint,
          bucket,
          accessKeyId,
          secretAccessKey,
          prefix: `run${runs++}`,
          // Three ordered faults, and what a broken connection in the pool may cost besides.
          attemptsMax: 6,
          retryBaseMs: 1,
          retryMaxMs: 1,
        });
        if (settings.kind !== "s3") throw new Error("these are the settings of an S3 store");
        const store = new S3Store(settings, { clock: systemClock, random: seededRandom(1) });
        let next = 0;
        await expectAgreement(store, steps, () => {
          server.clearFaults();
          const ordered = faults[next++ % faults.length];
          if (ordered !== undefined) server.orderFault({ ...ordered, count: 3 });
        });
        store.close();
      },
    ),
    { numRuns: 40 },
  );
  expect(server.stats().faults).toBeGreaterThan(100);
  await server.stop();
});

test("keys are compared as their UTF-8 bytes are", () => {
  const text = fc.string({ unit: "binary", maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
