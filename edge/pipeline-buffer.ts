import { join } from "node:path";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { openBodies } from "./buffer/body.ts";
import type { Damage } from "./buffer/damage.ts";
import { QuarantineStore } from "./buffer/quarantine-store.ts";
import { SegmentLog } from "./buffer/segment-log.ts";
import { StateStore } from "./buffer/state-store.ts";
import { finishRepairs } from "./buffer/tools/salvage.ts";
import type { GatewaySettings } from "./settings.ts";

export interface PipelineBufferOptions {
  readonly settings: GatewaySettings["buffer"];
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Hears of each write that failed, whoever asked for it. */
  readonly failed?: (error: Error) => void;
}

/** The parts of the buffer, opened together and closed together. */
export class PipelineBuffer {
  readonly state: StateStore;
  readonly messages: SegmentLog;
  readonly quarantine: QuarantineStore;

  /** Throws what its parts throw: "buffer.unwritable", "buffer.disk_full", "keys.buffer_missing", "keys.buffer_wrong". */
  constructor({ settings, bootId, clock, log, failed }: PipelineBufferOptions) {
    const { dir } = settings;
    const bodies = openBodies(dir, settings.encryptionKeyFile);
    finishRepairs(dir);
    this.state = StateStore.open({ dir, bodies, clock, log, ...(failed === undefined ? {} : { failed }) });
    this.quarantine = QuarantineStore.open(dir, { bodies, log });
    const found: Damage[] = [];
    let tell = (damage: Damage): void => void found.push(damage);
    this.messages = SegmentLog.open({
      dir: join(dir, "segments"),
      limits: settings,
      floorOffset: this.state.floorOffset,
      bootId,
      bodies,
      otherBytes: () => this.state.diskBytes() + this.quarantine.diskBytes(),
      damaged: (damage) => tell(damage),
      clock,
      log,
    });
    tell = (damage) => this.state.appendEvents([damageEvent(damage, clock.nowUs())]);
    for (const damage of found) tell(damage);
  }

  close(): void {
    this.messages.close();
    this.quarantine.close();
    this.state.close();
  }
}

function damageEvent({ file, fromOffset, endOffset, reason }: Damage, atUs: number): NewEvent {
  return {
    kind: "buffer.damaged",
    atUs,
    count: endOffset === undefined ? 0 : endOffset - fromOffset,
    ...(endOffset === undefined ? {} : { offsets: { from: fromOffset, through: endOffset - 1 } }),
    detail: `Acknowledged messages are damaged on disk from offset ${fromOffset} on, in ${file}: ${reason}`,
    facts: { file, from: fromOffset, reason },
  };
}
