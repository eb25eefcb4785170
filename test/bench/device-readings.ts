import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";

/** As many as a step of the gateway decodes, or a chunk of the lake has. */
export const BLOCK_READINGS = 20_000;

/** Readings of one metric of some devices in turn, each message of one device, without end: block by block. */
export function deviceReadings({
  devices,
  rateHz,
  perMessage,
}: {
  readonly devices: number;
  readonly rateHz: number;
  readonly perMessage: number;
}): () => ReadingBlock {
  const random = seededRandom(11);
  const values = Float64Array.from(
    { length: BLOCK_READINGS },
    () => Math.round(random.normal() * 1_000) / 1_000,
  );
  const series = Array.from({ length: devices }, (_, i) => ({
    device: `d-${i}`,
    deviceType: "pump",
    metric: "vibration",
    unit: "g",
  }));
  const stepUs = 1_000_000 / rateHz;
  let offset = 0;
  return () => {
    const first = offset;
    offset += BLOCK_READINGS;
    const at = (fill: (n: number) => number): Float64Array =>
      Float64Array.from({ length: BLOCK_READINGS }, (_, i) => fill(first + i));
    const messageOf = (n: number): number => Math.floor(n / perMessage);
    const timeUs = (n: number): number =>
      1.8e15 + (Math.floor(messageOf(n) / devices) * perMessage + (n % perMessage)) * stepUs;
    return {
      count: BLOCK_READINGS,
      series,
      seriesIndex: Uint32Array.from({ length: BLOCK_READINGS }, (_, i) => messageOf(first + i) % devices),
      offset: at(messageOf),
      index: Uint32Array.from({ length: BLOCK_READINGS }, (_, i) => (first + i) % perMessage),
      measuredAtUs: at(timeUs),
      receivedAtUs: at((n) => timeUs(n) + 2_000),
      value: values,
      clock: new Uint8Array(BLOCK_READINGS),
      withheld: new Uint8Array(BLOCK_READINGS),
    };
  };
}
