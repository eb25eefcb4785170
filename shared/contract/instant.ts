/** A moment as a typed file gives it: microseconds since the epoch, UTC; NaN where it cannot be held exactly. */
export class Instant {
  readonly us: number;

  constructor(us: number) {
    this.us = us;
  }
}
