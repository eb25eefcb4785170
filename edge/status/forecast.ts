/** What comes into the buffer, encoded as it is sent, in bytes per second. */
export interface Growth {
  readonly readingsBytesPerS: number;
  readonly otherBytesPerS: number;
}

/** What must be known of the disk to say how long it lasts. */
export interface DiskFacts {
  /** Bytes in use; free pages of a file count as free. */
  readonly usedBytes: number;
  /** Of them, raw messages that go first, because what they say is on disk a second time. */
  readonly spareRawBytes: number;
  /** What may be used before readings are given up, or messages refused. */
  readonly roomUntilBytes: number;
  readonly whenFull: "shed" | "refuse";
  /** One of so many readings of each series is left before whole batches are dropped. */
  readonly thinningMax: number;
  /** Batches of readings that may still be thinned out, by how far they are. */
  readonly thinnable: readonly { readonly step: number; readonly bytes: number }[];
}

export interface Capacity {
  /** Hours until readings are thinned out, or messages refused, if nothing is delivered; undefined at no rate. */
  readonly hoursLeft: number | undefined;
  /** Hours until readings are dropped whole, where they are thinned out before; undefined where they are not. */
  readonly hoursUntilDropped: number | undefined;
}

/** How long the disk lasts at the present rate if nothing is delivered. Pure. */
export function forecast(disk: DiskFacts, growth: Growth): Capacity {
  const roomBytes = disk.roomUntilBytes - (disk.usedBytes - disk.spareRawBytes);
  const hoursLeft = hours(roomBytes, growth.readingsBytesPerS + growth.otherBytesPerS);
  if (disk.whenFull === "refuse" || disk.thinningMax === 1)
    return { hoursLeft, hoursUntilDropped: undefined };
  const thinnedBytes = disk.thinnable.reduce(
    (sum, { step, bytes }) => sum + (step === 0 ? 0 : bytes * (1 - step / disk.thinningMax)),
    0,
  );
  const thinnedRate = growth.readingsBytesPerS / disk.thinningMax + growth.otherBytesPerS;
  return { hoursLeft, hoursUntilDropped: hours(roomBytes + thinnedBytes, thinnedRate) };
}

const hours = (roomBytes: number, bytesPerS: number): number | undefined =>
  bytesPerS === 0 ? undefined : Math.max(0, roomBytes) / bytesPerS / 3_600;

/** A backlog of no more than what comes in this time is the normal one of a gateway that keeps up. */
const KEEPS_UP_S = 60;

/** A drain slower than this share of what is delivered is none: rates of a minute vary. */
const NET_SHARE_MIN = 0.05;

export interface Backlog {
  readonly bytes: number;
  readonly arrivalBytesPerS: number;
  readonly deliveredBytesPerS: number;
}

/** Seconds until what waits is delivered at the present rates; undefined where it does not get less. Pure. */
export function drainS({ bytes, arrivalBytesPerS, deliveredBytesPerS }: Backlog): number | undefined {
  if (bytes === 0) return 0;
  const netBytesPerS = deliveredBytesPerS - arrivalBytesPerS;
  if (deliveredBytesPerS > 0 && netBytesPerS > deliveredBytesPerS * NET_SHARE_MIN)
    return bytes / netBytesPerS;
  const keepsUp = deliveredBytesPerS > 0 && bytes <= arrivalBytesPerS * KEEPS_UP_S;
  return keepsUp ? bytes / deliveredBytesPerS : undefined;
}
