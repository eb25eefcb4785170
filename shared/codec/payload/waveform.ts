import { valueAt, parsePath } from "./dotted-path.ts";
import { JsonDevice } from "./json-names.ts";
import { parseJson } from "./json-text.ts";
import {
  malformed,
  type PayloadContext,
  type PayloadDecoder,
  showValue,
  type ValueSink,
} from "./payload-decoder.ts";
import type { WaveformBinaryPayloadSettings, WaveformJsonPayloadSettings } from "./settings.ts";
import { eventTimeUs } from "./time.ts";

/** Evenly spaced samples of one or more metrics: sample i of all was measured at start + i × spacing. */
interface Waveform {
  readonly metrics: readonly string[];
  readonly samples: number;
  /** Sample `i` of metric `m`, both by their place. */
  sample(m: number, i: number): unknown;
  /** Undefined: the last sample was measured at the arrival. */
  readonly startUs: number | undefined;
  readonly spacing: Spacing;
  readonly device: string | undefined;
}

/** A fraction, so that no rounding adds up over the samples of a rate that does not divide a second. */
interface Spacing {
  readonly us: number;
  readonly per: number;
}

const US_PER_S = 1_000_000;

function giveWaveform(waveform: Waveform, sink: ValueSink, { receivedAtUs }: PayloadContext): void {
  const { metrics, samples, spacing, device } = waveform;
  const lengthUs = ((samples - 1) * spacing.us) / spacing.per;
  const startUs = waveform.startUs ?? receivedAtUs - lengthUs;
  if (!Number.isSafeInteger(Math.round(startUs)) || !Number.isSafeInteger(Math.round(startUs + lengthUs)))
    return sink.refuse(
      "time.invalid",
      `The samples begin at ${startUs} µs and last ${lengthUs} µs, which is beyond every time.`,
    );
  const clock = waveform.startUs === undefined ? "arrival" : "device";
  for (let i = 0; i < samples; i++) {
    sink.record(Math.round(startUs + (i * spacing.us) / spacing.per), device, clock);
    for (const [m, metric] of metrics.entries()) sink.value(metric, waveform.sample(m, i));
  }
}

function checkCount(samples: number, metrics: number, samplesMax: number): void {
  if (samples === 0) throw malformed("The payload has no samples.");
  if (samples * metrics > samplesMax)
    throw malformed(
      `The payload has ${samples * metrics} samples; at most ${samplesMax} are read from one message.`,
    );
}

/**
 * A waveform in JSON: one array of samples, where the topic names the metric, or one for each metric, all of one length.
 *
 * A sample that is no number is given on to be judged; without a start the last sample was measured at the arrival.
 */
export function createWaveformJsonDecoder(settings: WaveformJsonPayloadSettings): PayloadDecoder {
  const { metrics, samples = "", start, scale, offset } = settings;
  const paths = Object.entries(metrics ?? { "": samples }).map(
    ([metric, path]) => ({ metric, name: path, path: parsePath(path) }) as const,
  );
  const startPath = start === undefined ? undefined : parsePath(start.path);
  const spacingOf = jsonSpacing(settings);
  const device = settings.device === undefined ? undefined : new JsonDevice(settings.device);
  return {
    needsTopicMetric: metrics === undefined,
    namesDevice: device !== undefined,
    decode(payload, sink, context) {
      const message = parseJson(payload);
      const arrays = paths.map(({ name, path }) => samplesAt(message, name, path));
      const count = arrays[0]?.length ?? 0;
      if (arrays.some((array) => array.length !== count))
        throw malformed(
          `The metrics have ${showValue(arrays.map((array) => array.length))} samples, not all as many.`,
        );
      checkCount(count, arrays.length, settings.samplesMax);
      const deviceName = device?.nameOf(message, message);
      if (device !== undefined && deviceName === undefined)
        return sink.refuse("device.invalid", device.explain(message, message));
      const startText = startPath === undefined ? undefined : valueAt(message, startPath);
      const startUs = start === undefined ? undefined : eventTimeUs(startText, start.unit);
      if (start !== undefined && Number.isNaN(startUs))
        return sink.refuse(
          "time.invalid",
          `The start field "${start.path}" ${found(startText)}, not a time in ${start.unit}.`,
        );
      const sample = (m: number, i: number): unknown => {
        const value = arrays[m]?.[i];
        return typeof value === "number" ? value * scale + offset : value;
      };
      const names = paths.map(({ metric }) => (metrics === undefined ? (context.metric ?? "") : metric));
      giveWaveform(
        { metrics: names, samples: count, sample, startUs, spacing: spacingOf(message), device: deviceName },
        sink,
        context,
      );
    },
  };
}

function samplesAt(message: unknown, name: string, path: readonly string[]): readonly unknown[] {
  const array = valueAt(message, path);
  if (Array.isArray(array)) return array;
  throw malformed(`The samples field "${name}" ${found(array)}, not an array.`);
}

const found = (value: unknown): string => (value === undefined ? "is missing" : `is ${showValue(value)}`);

/** The spacing of samples, from the settings or from the message. */
function jsonSpacing({ rateHz, rate, interval }: WaveformJsonPayloadSettings): (message: unknown) => Spacing {
  if (rateHz !== undefined) return () => ({ us: US_PER_S, per: rateHz });
  const field = rate ?? interval?.path ?? "";
  const path = parsePath(field);
  const what = interval === undefined ? "a rate in Hz above 0" : `an interval in ${interval.unit} above 0`;
  return (message) => {
    const value = valueAt(message, path);
    const spacing =
      interval === undefined
        ? { us: US_PER_S, per: typeof value === "number" ? value : 0 }
        : { us: typeof value === "number" ? value * US_PER_UNIT[interval.unit] : 0, per: 1 };
    if (spacing.us > 0 && spacing.per > 0) return spacing;
    throw malformed(`The field "${field}" ${found(value)}, not ${what}.`);
  };
}

const US_PER_UNIT = { s: US_PER_S, ms: 1_000, us: 1, ns: 0.001 } as const;

const READERS = {
  int16: { bytes: 2, read: (view: DataView, at: number, isLittle: boolean) => view.getInt16(at, isLittle) },
  int32: { bytes: 4, read: (view: DataView, at: number, isLittle: boolean) => view.getInt32(at, isLittle) },
  float32: {
    bytes: 4,
    read: (view: DataView, at: number, isLittle: boolean) => view.getFloat32(at, isLittle),
  },
  float64: {
    bytes: 8,
    read: (view: DataView, at: number, isLittle: boolean) => view.getFloat64(at, isLittle),
  },
} as const;

const HEADER_BYTES = 8;

/**
 * A waveform as bare numbers, samples of several channels in turn; before them, where the settings say so, the start as
 * a signed whole number of eight bytes in the same byte order.
 */
export function createWaveformBinaryDecoder(settings: WaveformBinaryPayloadSettings): PayloadDecoder {
  const { channels, start, rateHz, scale, offset } = settings;
  const { bytes, read } = READERS[settings.type];
  const isLittle = settings.byteOrder === "little-endian";
  const headerBytes = start === undefined ? 0 : HEADER_BYTES;
  const width = channels?.length ?? 1;
  return {
    needsTopicMetric: channels === undefined,
    namesDevice: false,
    decode(payload, sink, context) {
      const samples = (payload.length - headerBytes) / (bytes * width);
      if (!Number.isInteger(samples) || samples < 0)
        throw malformed(
          `The payload has ${payload.length} bytes, not ${headerBytes} and a multiple of ${bytes * width}.`,
        );
      checkCount(samples, width, settings.samplesMax);
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      const startUs = start === undefined ? undefined : wholeUs(view.getBigInt64(0, isLittle), start.unit);
      const sample = (m: number, i: number): number =>
        read(view, headerBytes + (i * width + m) * bytes, isLittle) * scale + offset;
      const spacing = { us: US_PER_S, per: rateHz };
      const metrics = channels ?? [context.metric ?? ""];
      giveWaveform({ metrics, samples, sample, startUs, spacing, device: undefined }, sink, context);
    },
  };
}

/** Nanoseconds of today do not fit a double, so they are cut to microseconds before. */
function wholeUs(time: bigint, unit: "ms" | "us" | "ns"): number {
  if (unit === "ns") return Number(time / 1_000n);
  return unit === "ms" ? Number(time * 1_000n) : Number(time);
}
