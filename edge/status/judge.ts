import type { GatewayStatus, PipelineSnapshot, SourceStatus } from "./gateway-status.ts";

/** Why a gateway is not healthy; empty when it is. Pure. */
export function problemsOf(snapshot: PipelineSnapshot, commit: GatewayStatus["commit"]): readonly string[] {
  const { buffer, sync, inference } = snapshot;
  return [
    ...buffer.damages.map(({ file, reason }) => `messages are damaged on disk, ${file}: ${reason}`),
    ...(buffer.refused > 0
      ? [`${buffer.refused} messages were refused because the buffer could not take them`]
      : []),
    ...(commit.refused > 0 ? [`${commit.refused} messages were refused because the disk is too slow`] : []),
    ...(sync.lake === "away" ? [`the lake is away: ${sync.lastError?.message ?? ""}`] : []),
    ...(sync.divergedBatches > 0
      ? [`${sync.divergedBatches} batches differ from what the lake holds under their key`]
      : []),
    ...(inference.slot.state === "failed" ? [`no model can score: ${inference.slot.reason}`] : []),
  ];
}

/** Hours until the disk budget is used up when nothing more is delivered. Pure. */
export function hoursLeft(buffer: PipelineSnapshot["buffer"], bytesPerS: number): number | undefined {
  const freeBytes = Math.max(0, buffer.diskBytesMax - buffer.diskBytes - buffer.stateBytes);
  // What is derived and encoded takes about as much again as the messages themselves.
  return bytesPerS === 0 ? undefined : freeBytes / (bytesPerS * 2) / 3_600;
}

/** Puts a status together from what both threads say. Pure. */
export function judgeStatus(parts: {
  readonly identity: Pick<GatewayStatus, "gateway" | "softwareVersion" | "uptimeS" | "memoryBytes">;
  readonly pipeline: PipelineSnapshot;
  readonly ingest: readonly SourceStatus[];
  readonly commit: GatewayStatus["commit"];
  readonly rates: GatewayStatus["rates"];
}): GatewayStatus {
  const { identity, pipeline, ingest, commit, rates } = parts;
  const problems = problemsOf(pipeline, commit);
  return {
    ...identity,
    healthy: problems.length === 0,
    problems,
    ...pipeline,
    ingest,
    commit,
    rates,
    capacity: { hoursLeft: hoursLeft(pipeline.buffer, rates.bytesPerS) },
  };
}
