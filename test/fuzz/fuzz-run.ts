import { getHeapStatistics } from "node:v8";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

/** What one payload of 64 KiB may take at most: parsed structures are some tens of times its size. */
const HEAP_GROWTH_BYTES_MAX = 64 * 1_048_576;

/** What one payload may take of the processor, collecting garbage included; a parser that goes wrong takes minutes. */
const DURATION_US_MAX = 2_000_000;

/** What fuzzing a target showed. */
export interface FuzzResult {
  readonly target: string;
  readonly packets: number;
  readonly accepted: number;
  readonly refused: number;
  readonly slowestUs: number;
  readonly heapGrowthBytesMax: number;
}

/** A payload that a target did not stand. */
export class FuzzFailure extends Error {
  constructor(target: string, packet: number, payload: Uint8Array, why: unknown) {
    const text = why instanceof Error ? (why.stack ?? why.message) : String(why);
    super(`target "${target}", packet ${packet}: ${text}\npayload ${Buffer.from(payload).toString("hex")}`);
    this.name = "FuzzFailure";
  }
}

export interface FuzzPlan {
  readonly seed: number;
  readonly packets: number;
  /** Told before each packet. */
  readonly onPacket?: (packet: number) => void;
}

/** The payload of a packet follows from seed, target and number alone. */
export function payloadOf(target: FuzzTarget, seed: number, packet: number): Uint8Array {
  return mutate(target.seeds, randomOf(seed, packet));
}

const randomOf = (seed: number, packet: number): ReturnType<typeof seededRandom> =>
  seededRandom(Math.imul(seed, 0x9e3779b1) ^ packet);

/** Throws a FuzzFailure at the first payload that is not answered properly. */
export async function fuzzTarget(target: FuzzTarget, plan: FuzzPlan): Promise<FuzzResult> {
  const { seed, packets, onPacket } = plan;
  const counts = { accepted: 0, refused: 0 };
  let slowestUs = 0;
  let heapGrowthBytesMax = 0;
  for (let packet = 0; packet < packets; packet++) {
    onPacket?.(packet);
    const payload = payloadOf(target, seed, packet);
    const random = randomOf(seed + 1, packet);
    const heapBefore = heapBytes();
    const elapsedUs = stopwatch();
    try {
      const outcome = target.run(payload, random);
      counts[typeof outcome === "string" ? outcome : await outcome] += 1;
    } catch (error) {
      throw new FuzzFailure(target.name, packet, payload, error);
    }
    const durationUs = elapsedUs();
    const growthBytes = heapBytes() - heapBefore;
    slowestUs = Math.max(slowestUs, durationUs);
    heapGrowthBytesMax = Math.max(heapGrowthBytesMax, growthBytes);
    if (durationUs > DURATION_US_MAX)
      throw new FuzzFailure(target.name, packet, payload, `it took ${durationUs} µs`);
    if (growthBytes > HEAP_GROWTH_BYTES_MAX)
      throw new FuzzFailure(target.name, packet, payload, `the heap grew by ${growthBytes} bytes`);
  }
  return { target: target.name, packets, ...counts, slowestUs, heapGrowthBytesMax };
}

/** The kernel counts the time of a thread in ticks of this length. */
const TICK_US = 4_000;

/** What went by, without what other processes took of it: a machine that others use too makes no payload slow. */
function stopwatch(): () => number {
  const startUs = systemClock.monotonicUs();
  const cpu = process.threadCpuUsage();
  return () => {
    const wallUs = systemClock.monotonicUs() - startUs;
    if (wallUs < TICK_US) return wallUs;
    const { user, system } = process.threadCpuUsage(cpu);
    return Math.min(wallUs, user + system + TICK_US);
  };
}

function heapBytes(): number {
  const { used_heap_size: used, external_memory: external } = getHeapStatistics();
  return used + external;
}
