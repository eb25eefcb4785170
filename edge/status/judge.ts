import { PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import { drainS, forecast } from "./forecast.ts";
import type { GatewayStatus, PipelineSnapshot, SourceStatus } from "./gateway-status.ts";

/** With the lake away and less time left than this, somebody must act: a working day and a night. */
const HOURS_LEFT_MIN = 24;

/** Room is made a piece at a time, which lasts for a while: with less left than this, readings are being given up. */
const GIVING_UP_HOURS_MAX = 0.05;

/** The share of the disk budget at which it counts as used up: one more group may be too much. */
const DISK_FULL_SHARE = 0.99;

type Parts = {
  readonly identity: Pick<GatewayStatus, "gateway" | "softwareVersion" | "uptimeS" | "memoryBytes">;
  readonly pipeline: PipelineSnapshot;
  readonly ingest: readonly SourceStatus[];
  readonly online: GatewayStatus["online"];
  readonly commit: GatewayStatus["commit"];
  readonly rates: GatewayStatus["rates"];
};

/** Puts a status together from what both threads say. Pure. */
export function judgeStatus({ identity, pipeline, ingest, online, commit, rates }: Parts): GatewayStatus {
  const capacity = capacityOf(pipeline, rates);
  const problems = problemsOf(pipeline, ingest, capacity.hoursLeft);
  return {
    ...identity,
    healthy: problems.length === 0,
    problems,
    ...pipeline,
    ingest,
    online,
    commit,
    rates,
    capacity,
  };
}

/**
 * Why somebody must act; empty when nobody must. A lake that is away for a while is normal, and no problem as long as
 * the disk lasts.
 */
function problemsOf(
  { buffer, sync, inference, models, clockProblem, refusing }: PipelineSnapshot,
  ingest: readonly SourceStatus[],
  hoursLeft: number | undefined,
): readonly string[] {
  const { lastError } = sync;
  const isGivingUp =
    buffer.disk.whenFull === "shed" && hoursLeft !== undefined && hoursLeft < GIVING_UP_HOURS_MAX;
  const mustWait = lastError === undefined || passes(lastError.code);
  const problems: readonly (readonly [boolean, string])[] = [
    ...ingest.map(({ name, problem }) => [problem !== undefined, `${name}: ${problem}`] as const),
    [refusing !== undefined, `refusing new messages until it passes: ${refusing}`],
    ...buffer.damages.map(
      ({ file, reason }) => [true, `messages are damaged on disk, ${file}: ${reason}`] as const,
    ),
    [
      buffer.disk.diskBytes >= buffer.diskBytesMax * DISK_FULL_SHARE,
      "the disk budget is used up: new messages are refused until the lake has taken some, or buffer.diskBytesMax is raised",
    ],
    [
      clockProblem !== undefined,
      `the gateway's clock is wrong: ${clockProblem}; until it is set, by NTP for one, times of arrival are marked as unsure`,
    ],
    [sync.lake === "away" && !mustWait, `the lake refuses what is sent: ${lastError?.message}`],
    [
      sync.lake === "away" && isGivingUp,
      `the lake is away, and the oldest readings are given up for room: ${lastError?.message}`,
    ],
    [
      sync.lake === "away" && !isGivingUp && hoursLeft !== undefined && hoursLeft < HOURS_LEFT_MIN,
      `the lake is away, and the disk lasts for ${hoursLeft?.toFixed(1)} more hours: ${lastError?.message}`,
    ],
    [
      sync.divergedBatches > 0,
      `${sync.divergedBatches} batches differ from what the lake holds under their key`,
    ],
    [
      inference.slot.state === "failed",
      inference.slot.state === "failed" ? `no model can score: ${inference.slot.reason}` : "",
    ],
    // Known before the first batch is due; afterwards the uplink says it.
    [
      sync.lake !== "away" && models.failure !== undefined && !passes(models.failure.code),
      `it cannot be asked which model is wanted: ${models.failure?.message}`,
    ],
    [models.refusal !== undefined, `the model that is wanted was refused: ${models.refusal?.message}`],
  ];
  return problems.filter(([isSo]) => isSo).map(([, text]) => text);
}

/** Whether a failure goes away without anybody's doing. */
const passes = (code: string): boolean => recoveryOf(new PipelineError(code, "")) === "retry";

function capacityOf(
  { buffer, sync }: PipelineSnapshot,
  rates: GatewayStatus["rates"],
): GatewayStatus["capacity"] {
  const { disk, outbox, derived } = buffer;
  const { readings, other } = derived;
  const growth = {
    readingsBytesPerS: rates.readingsPerS * readings.bytesPerRow,
    otherBytesPerS: rates.otherRowsPerS * other.bytesPerRow,
  };
  const pendingBytes = readings.pendingRows * readings.bytesPerRow + other.pendingRows * other.bytesPerRow;
  const bytes = outbox.bytes + pendingBytes;
  return {
    ...forecast({ ...disk, usedBytes: disk.diskBytes - disk.freeBytes }, growth),
    drainS: drainS({
      bytes,
      arrivalBytesPerS: growth.readingsBytesPerS + growth.otherBytesPerS,
      deliveredBytesPerS: deliverableBytesPerS(bytes, sync, rates.deliveredBytesPerS),
    }),
  };
}

const DAY_S = 86_400;

/** What does not fit into the rest of a day's bytes goes, on average, as fast as days allow. */
function deliverableBytesPerS(
  bytes: number,
  { day, held }: PipelineSnapshot["sync"],
  deliveredBytesPerS: number,
): number {
  if (day?.bytesMax === undefined || bytes <= day.bytesMax - day.sentBytes) return deliveredBytesPerS;
  const perDay = day.bytesMax / DAY_S;
  return held?.reason === "day_budget" ? perDay : Math.min(deliveredBytesPerS, perDay);
}
