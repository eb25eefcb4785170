import type { Clock } from "@sluice/shared/runtime/clock.ts";

/** Told now and then: what is being done, and the share of it that is done where that is known. */
export type Progress = (doing: string, share?: number) => void;

/** How often the same work is shown again. */
const SHOWN_EVERY_US = 200_000;
const BAR_CELLS = 24;

/** Shows work as one line of text; the line is empty when `done` is called. */
export class ProgressLine {
  readonly #show: (text: string) => void;
  readonly #clock: Clock;
  #doing = "";
  #shownAtUs = -Infinity;

  constructor(show: (text: string) => void, clock: Clock) {
    this.#show = show;
    this.#clock = clock;
  }

  readonly tell: Progress = (doing, share) => {
    const nowUs = this.#clock.monotonicUs();
    if (doing === this.#doing && nowUs - this.#shownAtUs < SHOWN_EVERY_US) return;
    this.#doing = doing;
    this.#shownAtUs = nowUs;
    this.#show(share === undefined ? `${doing} …` : `${bar(share)} ${doing}`);
  };

  done(): void {
    this.#show("");
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return `${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)} ${String(Math.floor(share * 100)).padStart(3)} %`;
}
