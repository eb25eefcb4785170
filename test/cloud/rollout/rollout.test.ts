import { renderFleet } from "@sluice/cloud/rollout/fleet-table.ts";
import { fleetState, rollOut, type RollOutOptions } from "@sluice/cloud/rollout/rollout.ts";
import { type DesiredState, desiredStateSchema, type ReportedState } from "@sluice/shared/contract/fleet.ts";
import { desiredKey, reportedKey, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { expect, test } from "vitest";

const NOW_US = 1_700_000_000_000_000;
const model = "pump_health";
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A lake in which versions 1 and 2 of the model are registered, as far as rollout looks. */
async function lake(): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const version of [1, 2]) await store.put(`${versionPrefix(model, version)}bundle.json`, text("{}"));
  return store;
}

const options = (store: RollOutOptions["store"], change: Partial<RollOutOptions> = {}): RollOutOptions => ({
  store,
  gateways: ["gw-1"],
  model,
  version: 1,
  reason: "a test",
  clock: new SimulatedClock(NOW_US),
  ...change,
});

async function desired(store: MemoryStore, gateway: string): Promise<DesiredState> {
  const result = await store.get(desiredKey(gateway));
  if (result.state !== "found") throw new Error(`nothing is desired of ${gateway}`);
  return desiredStateSchema.parse(JSON.parse(new TextDecoder().decode(result.object.body)));
}

async function report(store: MemoryStore, gateway: string, change: Partial<ReportedState>): Promise<void> {
  const state: ReportedState = {
    formatVersion: 1,
    gateway,
    epoch: "0b7e9f4e-6a68-4f6e-9d3c-0a8f5f3b6c11",
    softwareVersion: "0.1.0",
    reportedAtUs: NOW_US,
    desiredRevision: 0,
    viewHashes: [],
    counters: {},
    ...change,
  };
  await store.put(reportedKey(gateway), text(JSON.stringify(state)));
}

test("each gateway gets the wish once, and its revision grows with each change", async () => {
  const store = await lake();
  const gateways = ["gw-1", "gw-2", "gw-1"];
  expect(await rollOut(options(store, { gateways }))).toEqual([
    { gateway: "gw-1", outcome: "written", revision: 1 },
    { gateway: "gw-2", outcome: "written", revision: 1 },
  ]);
  expect(await rollOut(options(store, { version: 2, reason: "better" }))).toEqual([
    { gateway: "gw-1", outcome: "written", revision: 2 },
  ]);
  expect(await desired(store, "gw-1")).toEqual({
    formatVersion: 1,
    gateway: "gw-1",
    revision: 2,
    champion: { model, version: 2 },
    updatedAtUs: NOW_US,
    reason: "better",
  });
  expect(await desired(store, "gw-2")).toMatchObject({ revision: 1, champion: { version: 1 } });
});

test("a gateway that is already to run just that is left alone, unless it has refused", async () => {
  const store = await lake();
  await rollOut(options(store));
  expect(await rollOut(options(store))).toEqual([{ gateway: "gw-1", outcome: "unchanged", revision: 1 }]);
  await report(store, "gw-1", {
    desiredRevision: 1,
    refusal: { model, version: 1, code: "bundle.refused", message: "weights.hash: no" },
  });
  expect(await rollOut(options(store))).toEqual([{ gateway: "gw-1", outcome: "written", revision: 2 }]);
});

test("a gateway can be told to run nothing", async () => {
  const store = await lake();
  await rollOut(options(store));
  await rollOut(options(store, { version: undefined }));
  expect(await desired(store, "gw-1")).not.toHaveProperty("champion");
  expect((await fleetState(store))[0]).toMatchObject({ desired: "none", desiredRevision: 2 });
});

test("a revision is above what the gateway has answered, also where the old wish is lost or rubbish", async () => {
  const store = await lake();
  await report(store, "gw-1", { desiredRevision: 41 });
  await store.put(desiredKey("gw-1"), text("{"));
  expect(await rollOut(options(store))).toEqual([{ gateway: "gw-1", outcome: "written", revision: 42 }]);
});

test("a version that is not in the registry is rolled out to nobody", async () => {
  const store = await lake();
  await expect(rollOut(options(store, { version: 3 }))).rejects.toMatchObject({ code: "rollout.missing" });
  expect(await fleetState(store)).toEqual([]);
});

test("one gateway's failure does not keep the others from their wish", async () => {
  const store = await lake();
  const put = store.put.bind(store);
  store.put = async (key, ...rest) => {
    if (key === desiredKey("gw-2")) throw new PipelineError("store.denied", "no");
    return put(key, ...rest);
  };
  const outcomes = await rollOut(options(store, { gateways: ["gw-1", "gw-2", "../gw-3", "gw-4"] }));
  expect(outcomes).toEqual([
    { gateway: "gw-1", outcome: "written", revision: 1 },
    { gateway: "gw-2", outcome: "failed", reason: "no [store.denied]" },
    { gateway: "../gw-3", outcome: "failed", reason: '"../gw-3" is not a gateway\'s name' },
    { gateway: "gw-4", outcome: "written", revision: 1 },
  ]);
});

/** A fleet with everything in it that can be. */
async function motleyFleet(): Promise<MemoryStore> {
  const store = await lake();
  await rollOut(options(store, { gateways: ["a-waiting", "b-in-step", "c-silent", "d-refused"] }));
  await report(store, "a-waiting", { reportedAtUs: NOW_US - 90_000_000 });
  await report(store, "b-in-step", {
    desiredRevision: 1,
    champion: { model, version: 1 },
    championSinceUs: 5,
  });
  await report(store, "d-refused", {
    desiredRevision: 1,
    refusal: { code: "desired.invalid", message: "desired.json is not JSON (1 bytes)" },
  });
  await report(store, "e-new", { reportedAtUs: NOW_US - 3 * 86_400_000_000 });
  await store.put(reportedKey("f-garbage"), text("{"));
  await store.put(desiredKey("f-garbage"), text('{"formatVersion":7}'));
  await store.put(reportedKey("g-huge"), new Uint8Array(1_100_000).fill(32));
  await report(store, "h-other", { gateway: "b-in-step" });
  await store.put("fleet/h-other/something-else.json", text("{}"));
  await store.put(`fleet/${"x".repeat(70)}/reported.json`, text("null"));
  return store;
}

test("the fleet's state tells what is desired and what runs, and what of it cannot be read", async () => {
  const rows = await fleetState(await motleyFleet());
  expect(rows.map((row) => [row.gateway, row.desired, row.running, row.problems.length])).toEqual([
    ["a-waiting", "pump_health 1", "none", 0],
    ["b-in-step", "pump_health 1", "pump_health 1", 0],
    ["c-silent", "pump_health 1", undefined, 0],
    ["d-refused", "pump_health 1", "none", 0],
    ["e-new", undefined, "none", 0],
    ["f-garbage", undefined, undefined, 2],
    ["g-huge", undefined, undefined, 1],
    ["h-other", undefined, undefined, 1],
    ["x".repeat(70), undefined, undefined, 2],
  ]);
  expect(rows[1]).toMatchObject({ reportedAtUs: NOW_US, answeredRevision: 1, runningSinceUs: 5 });
  expect(rows[3]?.refusal).toBe("desired.json is not JSON (1 bytes) [desired.invalid]");
});

test("the table shows one line per gateway and its troubles below", async () => {
  const rows = (await fleetState(await motleyFleet())).filter((row) => !row.gateway.startsWith("x"));
  const lines = renderFleet(rows, NOW_US).split("\n");
  expect(lines.map((line) => line.slice(0, 74).trimEnd())).toEqual([
    "gateway    last report  desired                     running        state",
    "a-waiting  90 s ago     pump_health 1 (revision 1)  none           waiting",
    "b-in-step  0 s ago      pump_health 1 (revision 1)  pump_health 1  in step",
    "c-silent   never        pump_health 1 (revision 1)  -              silent",
    "d-refused  0 s ago      pump_health 1 (revision 1)  none           refused",
    "  refused: desired.json is not JSON (1 bytes) [desired.invalid]",
    "e-new      3 d ago      -                           none           no wish",
    "f-garbage  never        -                           -              unreada",
    expect.stringMatching(/^ {2}cannot read fleet\/f-garbage\/desired\.json: /),
    "  cannot read fleet/f-garbage/reported.json: not JSON (1 bytes)",
    "g-huge     never        -                           -              unreada",
    "  cannot read fleet/g-huge/reported.json: 1100000 bytes, the limit is 1048",
    "h-other    never        -                           -              unreada",
    "  cannot read fleet/h-other/reported.json: it is of b-in-step",
    "",
  ]);
  const [row] = rows;
  const hostile = row === undefined ? [] : [{ ...row, refusal: "\u001b[2Jgone\nnew line" }];
  expect(renderFleet(hostile, NOW_US)).toContain("  refused: \uFFFD[2Jgone\uFFFDnew line\n");
  expect(renderFleet([], NOW_US)).toBe("no gateway has reported to this lake\n");
});
