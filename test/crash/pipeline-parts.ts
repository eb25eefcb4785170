import { join } from "node:path";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { type Clock, systemClock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { SegmentLog } from "../../edge/buffer/segment-log.ts";
import { StateStore } from "../../edge/buffer/state-store.ts";
import { Decoder } from "../../edge/decode/decoder.ts";
import { decodeSettingsSchema } from "../../edge/decode/settings.ts";
import { InferenceStage } from "../../edge/inference/inference-stage.ts";
import { inferenceSettingsSchema } from "../../edge/inference/settings.ts";
import { Pipeline } from "../../edge/pipeline.ts";
import { viewOf } from "../shared/features/readings.ts";

const START_US = 1_700_000_000_000_000;

const BEGUN_US = systemClock.nowUs();

/** A clock on which ten seconds pass in a fifth of one, so that checkpoints fall between the kills. */
const fastClock: Clock = {
  ...systemClock,
  nowUs: () => BEGUN_US + fastClock.monotonicUs(),
  monotonicUs: () => systemClock.monotonicUs() * 50,
};

/** The publisher's message number `n`: everything of it follows from `n`, so any reader can check it. */
export function nthMessage(n: number, dup = false): IncomingMessage {
  const receivedAtUs = START_US + n * 7_000;
  const padding = "x".repeat((n * 7_919) % 900);
  const payload = JSON.stringify({ n, a: Math.sin(n), b: (n * 31) % 17, padding });
  return {
    client: `pump-${n % 3}`,
    packetId: (n % 65_535) + 1,
    qos: 1,
    dup,
    retain: false,
    topic: `plant/pump-${n % 3}/telemetry`,
    payload: new TextEncoder().encode(payload),
    receivedAtUs,
  };
}

export const VIEW = viewOf([{ fn: "mean" }, { fn: "std" }, { fn: "deviation" }]);

/** The worker's half of a gateway over a folder, without what talks to the lake. */
export function openParts(
  dir: string,
  log: Log,
  { contracts = [], views = [VIEW] }: { contracts?: readonly object[]; views?: readonly FeatureView[] } = {},
) {
  const bootId = newUuid();
  const state = StateStore.open({ dir, clock: fastClock, log });
  const messages = SegmentLog.open({
    dir: join(dir, "segments"),
    limits: { segmentBytesMax: 262_144, diskBytesMax: 1_073_741_824, redeliveryEntriesMax: 100_000 },
    floorOffset: state.decodedThrough + 1,
    bootId,
    otherBytes: () => 0,
    clock: fastClock,
    log,
  });
  const decode = decodeSettingsSchema.parse({
    routes: [
      {
        topic: "plant/{device}/telemetry",
        deviceType: "pump",
        payload: { format: "json", metrics: { a: "a", b: "b", n: "n" } },
      },
    ],
    contracts,
  });
  const inference = new InferenceStage({ settings: inferenceSettingsSchema.parse({}), gateway: "gw-1" });
  const pipeline = new Pipeline({
    log: messages,
    state,
    decoder: new Decoder({ routes: decode.routes, contracts: decode.contracts, limits: decode }),
    inference,
    views,
    contracts: decode.contracts,
    clock: fastClock,
    bootId,
    announce: () => undefined,
  });
  pipeline.begin();
  return {
    state,
    messages,
    pipeline,
    inference,
    close: () => {
      messages.close();
      state.close();
    },
  };
}
