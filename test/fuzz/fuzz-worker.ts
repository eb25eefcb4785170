// A thread of `main.ts`: fuzzes targets one after the other, so that one that hangs or fills the memory can be seen.
import { parentPort, workerData } from "node:worker_threads";
import { type FuzzResult, fuzzTarget } from "./fuzz-run.ts";
import { fuzzTargets } from "./targets.ts";

/** What main.ts gives: `place` has the target's place and the packet's number, for whoever watches. */
export interface FuzzWork {
  readonly seed: number;
  readonly packetsPerTarget: number;
  readonly targets: readonly string[];
  readonly place: Int32Array<SharedArrayBuffer>;
}

export type FuzzMessage = { readonly result: FuzzResult } | { readonly failure: string };

const { seed, packetsPerTarget, targets, place } = workerData as FuzzWork;
const tell = (message: FuzzMessage): void => parentPort?.postMessage(message);

for (const [number, name] of targets.entries()) {
  const target = fuzzTargets.find((known) => known.name === name);
  if (target === undefined) continue;
  Atomics.store(place, 0, number);
  try {
    const onPacket = (packet: number): number => Atomics.store(place, 1, packet);
    tell({ result: await fuzzTarget(target, { seed, packets: packetsPerTarget, onPacket }) });
  } catch (error) {
    tell({ failure: error instanceof Error ? error.message : String(error) });
    break;
  } finally {
    await target.close?.();
  }
}
