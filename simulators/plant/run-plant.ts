import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { PublisherStats } from "../fleet/publisher.ts";
import { writeAtomically } from "../state-file.ts";
import { FAULT_LABELS } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { parseCommand } from "./control.ts";
import type { PlantCommand } from "./control.ts";
import type { Plant } from "./plant.ts";

/** What a running plant needs of its publisher. */
export interface PlantPublisher {
  publish(topic: string, payload: string): Promise<void>;
  drain(deadlineMs: number): Promise<number>;
  stats(): PublisherStats;
}

export interface PlantRun {
  readonly plant: Plant;
  readonly publisher: PlantPublisher;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** 0: until the signal. */
  readonly durationMs: number;
  readonly stateFile: string | undefined;
  readonly truthFile: string | undefined;
  readonly signal: AbortSignal;
}

/** What a run has done. */
export interface PlantSummary extends PublisherStats {
  readonly steps: number;
  /** Moments that were left out because the process was held up for longer than CATCH_UP_S. */
  readonly skippedSteps: number;
  /** Messages that found the window and the waiting room full, as a device's own memory would be. */
  readonly shed: number;
  /** Messages without an acknowledgement at the end. */
  readonly unacknowledged: number;
  readonly rubbish: Readonly<Record<string, number>>;
}

/** A process that was stopped for longer begins anew and does not pour out everything it missed. */
const CATCH_UP_S = 10;

/** What a kill may lose of the plant's memory; its messages are in the publisher's hands. */
const STATE_INTERVAL_S = 5;

const DRAIN_MS = 5_000;

/** Runs a plant in real time and publishes what its sensors say, until its time is over or it is interrupted. */
export class PlantRunner {
  readonly #run: PlantRun;
  #shed = 0;
  #skipped = 0;
  #steps = 0;
  #savedAtUs = 0;
  #saving: Promise<void> = Promise.resolve();

  constructor(run: PlantRun) {
    this.#run = run;
  }

  async run(): Promise<PlantSummary> {
    const { clock, intervalMs, durationMs, signal, publisher, plant } = this.#run;
    const intervalUs = intervalMs * 1_000;
    const endUs = durationMs === 0 ? Infinity : clock.nowUs() + durationMs * 1_000;
    // Moments are whole intervals since the epoch: several plants, and a plant after a restart, keep step.
    let nextUs = Math.ceil(clock.nowUs() / intervalUs) * intervalUs;
    await this.#save();
    while (!signal.aborted && nextUs <= endUs) {
      await clock.sleep(Math.max(0, (nextUs - clock.nowUs()) / 1_000), signal);
      if (signal.aborted) break;
      const lateSteps = Math.floor((clock.nowUs() - nextUs) / intervalUs);
      if (lateSteps * intervalUs > CATCH_UP_S * 1e6) {
        const skipped = Math.min(lateSteps, Math.floor((endUs - nextUs) / intervalUs) + 1);
        this.#skipped += skipped;
        nextUs += skipped * intervalUs;
        continue;
      }
      this.#step(nextUs);
      nextUs += intervalUs;
      if (clock.nowUs() - this.#savedAtUs >= STATE_INTERVAL_S * 1e6) await this.#save();
    }
    const unacknowledged = await publisher.drain(DRAIN_MS);
    await this.#save();
    return {
      ...publisher.stats(),
      steps: this.#steps,
      skippedSteps: this.#skipped,
      shed: this.#shed,
      unacknowledged,
      rubbish: plant.rubbishCounts(),
    };
  }

  /**
   * Does what a control message says and returns what was done.
   *
   * Throws PipelineError "plant.command_refused".
   */
  async control(payload: string): Promise<PlantCommand> {
    const { plant, clock } = this.#run;
    const command = parseCommand(payload, plant.devices);
    plant.obey(command, clock.nowUs());
    await this.#save();
    return command;
  }

  #step(nowUs: number): void {
    this.#steps++;
    for (const { topic, payload } of this.#run.plant.step(nowUs))
      this.#run.publisher.publish(topic, payload).catch(() => this.#shed++);
  }

  /** One save at a time: commands come while the plant saves by itself. */
  #save(): Promise<void> {
    // A save that failed was thrown to whoever asked for it.
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    const { plant, stateFile, truthFile, clock } = this.#run;
    this.#savedAtUs = clock.nowUs();
    if (stateFile !== undefined) await writeAtomically(stateFile, JSON.stringify(plant.state()));
    if (truthFile !== undefined) await writeAtomically(truthFile, truthLines(plant.faults()));
  }
}

/** The truth as JSON lines: device, label, from, to (absent while the fault lasts); ISO 8601 times. */
export function truthLines(faults: readonly Fault[]): string {
  return faults
    .map(({ device, kind, fromUs, toUs, overS }) => {
      const to = toUs === undefined ? {} : { to: isoTime(toUs) };
      return `${JSON.stringify({ device, label: FAULT_LABELS[kind], from: isoTime(fromUs), ...to, overS })}\n`;
    })
    .join("");
}
