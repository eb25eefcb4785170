const DAY_US = 86_400_000_000;

/** Bytes that were sent on a day of UTC. A day, because data plans reckon by days, and one number is enough to keep. */
export interface DaySent {
  /** Days since the epoch. */
  readonly day: number;
  readonly bytes: number;
}

const dayOf = (nowUs: number): number => Math.floor(nowUs / DAY_US);

/** When the day of UTC ends. */
export const dayEndUs = (nowUs: number): number => (dayOf(nowUs) + 1) * DAY_US;

/** What was sent today. Another day than the one that is known, also an earlier one after the clock was set, begins at 0. */
export const sentToday = (sent: DaySent, nowUs: number): DaySent =>
  sent.day === dayOf(nowUs) ? sent : { day: dayOf(nowUs), bytes: 0 };

export function addSent(sent: DaySent, bytes: number, nowUs: number): DaySent {
  const today = sentToday(sent, nowUs);
  return { day: today.day, bytes: Math.max(0, today.bytes + bytes) };
}

/** As it is kept on disk. */
export const writeDaySent = ({ day, bytes }: DaySent): string => `${day} ${bytes}`;

/** What `writeDaySent` wrote; of anything else, and of nothing, nothing was sent. */
export function readDaySent(text: string | undefined): DaySent {
  const [, day, bytes] = /^(\d{1,9}) (\d{1,15})$/.exec(text ?? "") ?? [];
  return { day: Number(day ?? 0), bytes: Number(bytes ?? 0) };
}
