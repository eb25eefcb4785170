import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { rowsByDevice, type TestRows } from "./test-rows.ts";

/** Rows that are drawn together: of one device, one stretch of time and one class. */
type Block = readonly number[];

export interface Blocks {
  readonly healthy: readonly Block[];
  readonly faulty: readonly Block[];
}

/** How often each block was drawn, one array for each resample; undefined where the class has too few blocks. */
export interface Draws {
  readonly blocks: Blocks;
  readonly healthy: readonly Uint16Array[] | undefined;
  readonly faulty: readonly Uint16Array[] | undefined;
}

/** Fewest blocks of a class: intervals of fewer are far too narrow, so none is given. */
export const BLOCKS_MIN = 5;

/**
 * Draws blocks of rows with replacement, the healthy and the faulty ones apart (a stratified block bootstrap,
 * Künsch 1989). Every model is measured on the same draws, so that differences between models are paired.
 */
export function drawBlocks(
  rows: TestRows,
  options: { readonly blockWindows: number; readonly resamples: number; readonly seed: number },
): Draws {
  const blocks = blocksOf(rows, options.blockWindows);
  const random = seededRandom(options.seed);
  const draw = (count: number): readonly Uint16Array[] | undefined =>
    count < BLOCKS_MIN
      ? undefined
      : Array.from({ length: options.resamples }, () => {
          const times = new Uint16Array(count);
          for (let i = 0; i < count; i++) {
            const block = random.int(count);
            times[block] = (times[block] ?? 0) + 1;
          }
          return times;
        });
  return { blocks, healthy: draw(blocks.healthy.length), faulty: draw(blocks.faulty.length) };
}

function blocksOf(rows: TestRows, blockWindows: number): Blocks {
  const blocks: { healthy: Block[]; faulty: Block[] } = { healthy: [], faulty: [] };
  for (const own of rowsByDevice(rows)) {
    const byTime = Map.groupBy(own, (row) => {
      const startUs = rows.windowStartUs[row] ?? 0;
      const lengthUs = ((rows.windowEndUs[row] ?? 0) - startUs) * blockWindows;
      return Math.floor(startUs / Math.max(1, lengthUs));
    });
    for (const together of byTime.values()) {
      const healthy = together.filter((row) => rows.anomalous[row] !== 1);
      const faulty = together.filter((row) => rows.anomalous[row] === 1);
      if (healthy.length > 0) blocks.healthy.push(healthy);
      if (faulty.length > 0) blocks.faulty.push(faulty);
    }
  }
  return blocks;
}

/** For each draw the share of its rows that alarmed; undefined where there are no draws. */
export function alarmShares(
  blocks: readonly Block[],
  draws: readonly Uint16Array[] | undefined,
  alarms: Uint8Array,
): Float64Array | undefined {
  if (draws === undefined) return undefined;
  const alarmed = blocks.map((block) => block.reduce((sum, row) => sum + (alarms[row] ?? 0), 0));
  return Float64Array.from(draws, (times) => {
    let hit = 0;
    let all = 0;
    for (const [i, block] of blocks.entries()) {
      hit += (times[i] ?? 0) * (alarmed[i] ?? 0);
      all += (times[i] ?? 0) * block.length;
    }
    return hit / all;
  });
}

/** The middle `confidence` of the samples. */
export function intervalOf(samples: Float64Array, confidence: number): { low: number; high: number } {
  const sorted = Float64Array.from(samples).sort();
  const tail = (1 - confidence) / 2;
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))] ?? NaN;
  return { low: at(tail), high: at(1 - tail) };
}
