import type { KeptWindow } from "@sluice/edge/buffer/kept-windows.ts";
import { BudgetSite, deviceOf, measuredAtUs } from "../edge/buffer/budget-site.ts";

export const STEP_MESSAGES = 1_000;

const DISK_BYTES_MAX = 5 * 1_048_576;
const WINDOW_MESSAGES = 40;

export const openShedSite = (dir: string): BudgetSite =>
  new BudgetSite(dir, { diskBytesMax: DISK_BYTES_MAX });

/** The window that a model calls anomalous among the messages of a step that begins at `offset`. */
export const windowOf = (offset: number): KeptWindow => ({
  device: deviceOf(offset),
  fromUs: measuredAtUs(offset),
  toUs: measuredAtUs(offset + WINDOW_MESSAGES),
});

/** The next messages and what follows from them, with an anomalous window. */
export function shedStep(site: BudgetSite): void {
  site.step(STEP_MESSAGES, [windowOf(site.state.decodedThrough + 1)]);
}
