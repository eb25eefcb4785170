import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { GroupStamp, RawMessage } from "@sluice/shared/contract/message.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";

/** No gateway runs this software before its year of release: a clock that says so was never set. 2026-01-01T00:00:00Z. */
export const CLOCK_FLOOR_US = 1_767_225_600_000_000;

/**
 * How fast a clock may be slewed without that being a step, as a share of the time that passes: twice the 500 ppm to
 * which NTP keeps (RFC 5905, figure 37), so that a quiet hour does not look like a step.
 */
const SLEW_SHARE_MAX = 0.001;

/** A step that some messages of its group may have arrived before. */
interface OpenStep {
  readonly stepUs: number;
  /** What the slower of the two clocks, old and new, said when the group was stored. */
  readonly slowerUs: number;
}

/** What the watch remembers. */
export interface ClockWatchState {
  /** The stamp of the group that was seen last. */
  readonly stamp: GroupStamp | undefined;
  /** The first and the last message of the present boot. */
  readonly fromOffset: number;
  readonly throughOffset: number;
  /** The newest time that a boot before this one said; minus infinity where there is none or the clock was set since. */
  readonly newestBeforeUs: number;
  readonly open: OpenStep | undefined;
}

/**
 * Finds out from the stamps of the stored messages when the gateway's own clock was stepped, and whether it is right.
 *
 * Within a boot the wall clock and the monotonic clock go alike. Where their difference changes by more than
 * `stepMinMs` from one group to the next, somebody has set the clock: an event tells by how much and which messages
 * of the boot came before, so that their stamps can be corrected. Within the group, a message was stamped by the clock
 * that is behind where that could have said so by then, else by the one that is ahead; that is right as long as no
 * message waits longer for its commit than the step is long. What happened before the first group of a boot was stored
 * cannot be told.
 *
 * A clock that is behind what an earlier boot said, or behind the year of this software, is wrong; a clock that was
 * set since the gateway began is believed. A machine that slept looks as if its clock had been set forward.
 *
 * Pure: everything follows from the messages, in their order.
 */
export class ClockWatch {
  readonly #stepMinUs: number;
  #stamp: GroupStamp | undefined;
  #fromOffset = 0;
  #throughOffset = -1;
  #newestBeforeUs = -Infinity;
  #open: OpenStep | undefined;

  constructor(stepMinMs: number) {
    this.#stepMinUs = stepMinMs * 1_000;
  }

  /** Takes the next message. Returns the steps that it shows to have happened: rarely one, more rarely two. */
  message({ offset, stamp, receivedAtUs }: RawMessage): readonly NewEvent[] {
    const events: NewEvent[] = [];
    if (stamp === undefined) return events;
    const isNewGroup =
      stamp !== this.#stamp &&
      (stamp.monotonicUs !== this.#stamp?.monotonicUs ||
        stamp.wallUs !== this.#stamp.wallUs ||
        stamp.bootId !== this.#stamp.bootId);
    if (isNewGroup) this.#group(stamp, offset, events);
    if (this.#open !== undefined && !this.#isBefore(receivedAtUs, this.#open))
      this.#close(this.#open, events);
    this.#throughOffset = offset;
    return events;
  }

  /** Whether a wall clock that says this is known to be wrong. */
  isUnsure(wallUs: number): boolean {
    return wallUs < CLOCK_FLOOR_US || wallUs < this.#newestBeforeUs - this.#stepMinUs;
  }

  /** How it is known that the wall clock of this boot, which says this, is wrong; undefined where it may be right. */
  problem(wallUs: number, bootId: string): string | undefined {
    if (wallUs < CLOCK_FLOOR_US) return `it says ${isoTime(wallUs)}, before this software was made`;
    const last = this.#stamp;
    const lastBeforeUs = last === undefined || last.bootId === bootId ? -Infinity : last.wallUs;
    const newestBeforeUs = Math.max(this.#newestBeforeUs, lastBeforeUs);
    if (wallUs >= newestBeforeUs - this.#stepMinUs) return undefined;
    return `it says ${isoTime(wallUs)}, before ${isoTime(newestBeforeUs)}, when messages were stored already`;
  }

  state(): ClockWatchState {
    return {
      stamp: this.#stamp,
      fromOffset: this.#fromOffset,
      throughOffset: this.#throughOffset,
      newestBeforeUs: this.#newestBeforeUs,
      open: this.#open,
    };
  }

  restore(state: ClockWatchState): void {
    this.#stamp = state.stamp;
    this.#fromOffset = state.fromOffset;
    this.#throughOffset = state.throughOffset;
    this.#newestBeforeUs = state.newestBeforeUs;
    this.#open = state.open;
  }

  #group(stamp: GroupStamp, offset: number, events: NewEvent[]): void {
    if (this.#open !== undefined) this.#close(this.#open, events); // The whole group came before the step.
    const last = this.#stamp;
    this.#stamp = stamp;
    if (last?.bootId !== stamp.bootId) {
      this.#newestBeforeUs = Math.max(this.#newestBeforeUs, last?.wallUs ?? -Infinity);
      this.#fromOffset = offset;
      return;
    }
    const passedUs = stamp.monotonicUs - last.monotonicUs;
    const stepUs = stamp.wallUs - last.wallUs - passedUs;
    if (Math.abs(stepUs) <= this.#stepMinUs + passedUs * SLEW_SHARE_MAX) return;
    this.#open = { stepUs, slowerUs: stamp.wallUs - Math.max(0, stepUs) };
  }

  #isBefore(receivedAtUs: number, { stepUs, slowerUs }: OpenStep): boolean {
    const isSlower = receivedAtUs <= slowerUs + this.#stepMinUs / 2;
    return isSlower === stepUs > 0;
  }

  #close({ stepUs }: OpenStep, events: NewEvent[]): void {
    this.#open = undefined;
    this.#newestBeforeUs = -Infinity;
    const { bootId = "", wallUs = 0 } = this.#stamp ?? {};
    const [from, through] = [this.#fromOffset, this.#throughOffset];
    events.push({
      kind: "clock.stepped",
      atUs: wallUs,
      offsets: { from, through },
      count: through - from + 1,
      detail: `The gateway's clock was set ${stepUs > 0 ? "forward" : "back"} by ${Math.abs(stepUs) / 1_000} ms, to ${isoTime(wallUs)}; the stamps of the messages ${from} to ${through} are off by that.`,
      facts: { boot: bootId, stepUs },
    });
  }
}
