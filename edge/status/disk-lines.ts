import type { GatewayStatus } from "./gateway-status.ts";
import { count, inBytes } from "./words.ts";

const SECONDS_PER_DAY = 86_400;

/** What a status says of the disk: how full it is, how long it lasts, what was given up, what is written to flash. Pure. */
export function diskLines({
  buffer,
  capacity,
  counters,
  rates,
}: GatewayStatus): readonly (readonly [string, string])[] {
  const { disk } = buffer;
  return [
    [
      "disk",
      `${inBytes(disk.diskBytes)} of ${inBytes(buffer.diskBytesMax)}, ${lasts(capacity, disk.whenFull)}${parts(disk)}`,
    ],
    ["shed", shed(counters)],
    [
      "flash",
      `${inBytes(rates.storage.bytesPerS * SECONDS_PER_DAY)} written per day at the present rate, ${rates.storage.from === "system" ? "as the system counts it" : "estimated: the system does not count it"}`,
    ],
  ];
}

function lasts(
  { hoursLeft, hoursUntilDropped }: GatewayStatus["capacity"],
  whenFull: "shed" | "refuse",
): string {
  if (hoursLeft === undefined) return "nothing comes in";
  const first = `${duration(hoursLeft)} left at the present rate`;
  if (whenFull === "refuse") return `${first} until messages are refused`;
  return hoursUntilDropped === undefined
    ? `${first} until readings are dropped`
    : `${first} until readings are thinned out, ${duration(hoursUntilDropped)} until any are dropped`;
}

const duration = (hours: number): string =>
  hours >= 48 ? `${Math.round(hours / 24)} days` : `${hours.toFixed(1)} hours`;

function parts({ spareRawBytes, freeBytes, asideBytes }: GatewayStatus["buffer"]["disk"]): string {
  const some: (readonly [number, string])[] = [
    [spareRawBytes, "can go at no loss"],
    [freeBytes, "are free within its files"],
    [asideBytes, "are damaged files set aside"],
  ];
  return some
    .filter(([size]) => size > 0)
    .map(([size, what]) => `; ${inBytes(size)} ${what}`)
    .join("");
}

function shed(counters: Readonly<Record<string, number>>): string {
  const of = (name: string): number => counters[`shed.${name}`] ?? 0;
  const vectors = of("features.dropped");
  return `${count(of("readings.thinned"))} readings thinned away, ${count(of("readings.dropped"))} dropped${vectors === 0 ? "" : `, ${count(vectors)} vectors dropped`}`;
}
