/**
 * What can go wrong with a pump.
 *
 * - bearing: the outer race spalls; impacts, then heat, then looseness.
 * - cavitation: suction pressure too low; noise, less head, unsteady flow.
 * - valve: the discharge valve closes partly; less flow, more pressure.
 * - sensor: one sensor repeats its last value.
 */
export const FAULTS = ["bearing", "cavitation", "valve", "sensor"] as const;
export type FaultKind = (typeof FAULTS)[number];

/** The label that tells the truth about each fault. */
export const FAULT_LABELS: Readonly<Record<FaultKind, string>> = {
  bearing: "bearing_fault",
  cavitation: "cavitation",
  valve: "valve_closed",
  sensor: "sensor_stuck",
};

/** A fault that grows from nothing at `fromUs` to its full size `overS` seconds later. */
export interface Fault {
  readonly device: string;
  readonly kind: FaultKind;
  readonly fromUs: number;
  /** When it was repaired; undefined while it lasts. */
  readonly toUs: number | undefined;
  readonly overS: number;
  /** The sensor that sticks, for a fault of that kind. */
  readonly metric: string | undefined;
}

/** How far a fault has grown: 0 before it, then evenly up to 1, and 0 again once it is repaired. */
export function severityAt(fault: Fault, nowUs: number): number {
  if (nowUs < fault.fromUs || (fault.toUs !== undefined && nowUs >= fault.toUs)) return 0;
  return Math.min(1, (nowUs - fault.fromUs) / (fault.overS * 1e6));
}

/** The severities of all kinds for one device. */
export function severitiesAt(
  faults: readonly Fault[],
  device: string,
  nowUs: number,
): Readonly<Record<FaultKind, number>> {
  const severities = { bearing: 0, cavitation: 0, valve: 0, sensor: 0 };
  for (const fault of faults)
    if (fault.device === device)
      severities[fault.kind] = Math.max(severities[fault.kind], severityAt(fault, nowUs));
  return severities;
}
