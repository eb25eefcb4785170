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
  if (hoursUntilDropped === undefined) return `${first} until readings are dropped`;
  const thinned = hoursLeft > 0 ? `${first} until readings are thinned out` : "readings are thinned out now";
  return `${thinned}, ${duration(hoursUntilDropped)} until any are dropped`;
}

function duration(hours: number): string {
  if (hours >= 48) return `${count(hours / 24)} days`;
  return hours >= 2 ? `${hours.toFixed(1)} hours` : `${Math.floor(hours * 60)} minutes`;
}

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
