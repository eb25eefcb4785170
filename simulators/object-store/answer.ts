/** What goes back to the client. `body` is left out of answers to HEAD. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const EMPTY = new Uint8Array();

export const answer = (status: number, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers,
  body: EMPTY,
});

export const xmlAnswer = (status: number, xml: string): Answer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: Buffer.from(xml),
});

const DAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A time as HTTP writes it (RFC 9110 §5.6.7), from its ISO 8601 form; 1 January 1970 was a Thursday. */
export function httpDate(us: number, iso: string): string {
  const [year, month, day] = iso.slice(0, 10).split("-");
  const weekday = DAYS[Math.floor(us / 86_400_000_000) % 7];
  return `${weekday}, ${day} ${MONTHS[Number(month) - 1]} ${year} ${iso.slice(11, 19)} GMT`;
}
