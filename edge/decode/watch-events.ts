import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { WatchedDevice } from "./watched-device.ts";
import type { WatchedMetric } from "./watched-metric.ts";

/** The message at which something showed. */
export interface Place {
  readonly offset: number;
  readonly receivedAtUs: number;
}

const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;

const readings = (count: number): string => (count === 1 ? "1 reading was" : `${count} readings were`);

export function breakerOpened(device: WatchedDevice, { offset, receivedAtUs }: Place): NewEvent {
  const { violations = 0, share = 0, windowReadings = 0, openAbove = 0 } = device.breaker ?? {};
  return {
    kind: "breaker.opened",
    atUs: receivedAtUs,
    device: device.name,
    offsets: { from: offset, through: offset },
    count: violations,
    detail: `${violations} of the last ${windowReadings} values of the ${device.type} "${device.name}" broke its contract, more than ${percent(openAbove)}: its readings are stored, but kept from features and models.`,
    facts: { violations, windowReadings, share, violationShareMax: openAbove },
  };
}

export function breakerClosed(device: WatchedDevice, message: Place): NewEvent {
  const { violations = 0, share = 0, windowReadings = 0 } = device.breaker ?? {};
  return {
    ...closing(device, message),
    detail: `${violations} of the last ${windowReadings} values of the ${device.type} "${device.name}" broke its contract: it is trusted again. Since ${isoTime(device.opening.atUs)} ${readings(device.opening.withheld)} withheld.`,
    facts: { ...openFor(device, message), violations, windowReadings, share },
  };
}

/** The breaker of a device that is forgotten, because more devices sent something than are remembered. */
export function breakerForgotten(device: WatchedDevice, message: Place): NewEvent {
  return {
    ...closing(device, message),
    detail: `The ${device.type} "${device.name}" is forgotten, because too many devices are watched. Since ${isoTime(device.opening.atUs)} ${readings(device.opening.withheld)} withheld.`,
    facts: { ...openFor(device, message), forgotten: true },
  };
}

const closing = (device: WatchedDevice, { offset, receivedAtUs }: Place) =>
  ({
    kind: "breaker.closed",
    atUs: receivedAtUs,
    device: device.name,
    offsets: { from: device.opening.offset, through: offset },
    count: device.opening.withheld,
  }) as const;

const openFor = ({ opening }: WatchedDevice, { receivedAtUs }: Place) => ({
  withheldReadings: opening.withheld,
  openMs: Math.round((receivedAtUs - opening.atUs) / 1_000),
});

export function deviceStale(
  device: WatchedDevice,
  metric: string,
  { metric: watched, atUs }: { readonly metric: WatchedMetric; readonly atUs: number },
): NewEvent {
  const { staleAfterMs = 0 } = watched.rules;
  const lastHeardAt = isoTime(watched.heardAtUs);
  return {
    kind: "device.stale",
    atUs,
    device: device.name,
    metric,
    count: 0,
    detail: `"${metric}" of the ${device.type} "${device.name}" is silent for longer than ${staleAfterMs} ms; it was last heard at ${lastHeardAt}.`,
    facts: { staleAfterMs, lastHeardAt },
  };
}

export function deviceFresh(
  device: WatchedDevice,
  metric: string,
  { metric: watched, message }: { readonly metric: WatchedMetric; readonly message: Place },
): NewEvent {
  const silentMs = Math.round((message.receivedAtUs - watched.heardAtUs) / 1_000);
  return {
    kind: "device.fresh",
    atUs: message.receivedAtUs,
    device: device.name,
    metric,
    offsets: { from: message.offset, through: message.offset },
    count: 0,
    detail: `"${metric}" of the ${device.type} "${device.name}" is back after ${silentMs} ms of silence.`,
    facts: { silentMs },
  };
}

export function rateExceeded(
  device: WatchedDevice,
  metric: string,
  { metric: watched, message }: { readonly metric: WatchedMetric; readonly message: Place },
): NewEvent {
  const { rateMaxHz = 0 } = watched.rules;
  const { excessCount, excessToldAtUs } = watched;
  const since = excessToldAtUs === undefined ? "" : ` since ${isoTime(excessToldAtUs)}`;
  return {
    kind: "rate.exceeded",
    atUs: message.receivedAtUs,
    device: device.name,
    metric,
    offsets: { from: message.offset, through: message.offset },
    count: excessCount,
    detail: `"${metric}" of the ${device.type} "${device.name}" comes faster than ${rateMaxHz} times a second: ${readings(excessCount)} stored, but kept from features and models${since}.`,
    facts: { rateMaxHz, readings: excessCount },
  };
}
