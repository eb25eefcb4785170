const PAYLOAD_BYTES = 256;

/** A payload that differs from message to message only in its event time, so that making it costs a load little. */
export interface LoadPayload {
  readonly text: string;
  /** Where in the text the time stands. */
  readonly timeAt: number;
  /** The time as the text has it, always of the same length: microseconds since the epoch. */
  readonly time: (us: number) => string;
  readonly readings: number;
  /** Microseconds that one message covers. */
  readonly spanUs: number;
}

const TIME = "0000000000000000";

function json(): LoadPayload {
  const body = `{"ts":${TIME},"vibration":0.1234,"current":12.34,"pressure":3.21,"temperature":45.67,"pad":""}`;
  const text = body.replace('""', `"${"x".repeat(PAYLOAD_BYTES - body.length)}"`);
  return { text, timeAt: text.indexOf(TIME), time: String, readings: 4, spanUs: 1 };
}

/** A SenML pack (RFC 8428) of ten records of one metric. */
function senml(): LoadPayload {
  const first = `{"bn":"pump:","bt":${TIME}.,"n":"vibration","u":"m/s2","v":0.1234}`.replace(".,", "0,");
  const rest = Array.from({ length: 9 }, (_, i) => `{"n":"vibration","t":0.00000${i + 1},"v":0.1${i}}`);
  const text = `[${[first, ...rest].join(",")}]`;
  const time = (us: number): string =>
    `${Math.floor(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, "0")}`;
  return { text, timeAt: text.indexOf(TIME), time, readings: 10, spanUs: 10 };
}

/** What a load publishes, by name. */
export const PAYLOADS: Readonly<Record<string, LoadPayload>> = {
  /** 256 bytes of JSON with four readings. */
  json: json(),
  senml: senml(),
};
