import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Call, decodePayload } from "./calls.ts";

const NOW_US = 1_704_067_200_000_000;

const fromJson = (settings: object, message: unknown): Call[] =>
  decodePayload({ format: "waveform-json", ...settings }, JSON.stringify(message), {
    metric: "accel",
    receivedAtUs: NOW_US,
  });

const fromBytes = (settings: object, payload: Uint8Array): Call[] =>
  decodePayload({ format: "waveform-binary", ...settings }, payload, {
    metric: "accel",
    receivedAtUs: NOW_US,
  });

const timesOf = (calls: readonly Call[]): unknown[] =>
  calls.flatMap((call) => (call[0] === "record" ? [call[1]] : []));

test("samples in JSON follow each other from the start by the rate, each rounded by itself", () => {
  const settings = { samples: "data.z", rate: "data.hz", start: { path: "t0", unit: "ms" } };
  expect(fromJson(settings, { t0: NOW_US / 1_000, data: { z: [1, -2, 3, 4], hz: 3 } })).toEqual([
    ["record", NOW_US],
    ["value", "accel", 1],
    ["record", NOW_US + 333_333],
    ["value", "accel", -2],
    ["record", NOW_US + 666_667],
    ["value", "accel", 3],
    ["record", NOW_US + 1_000_000],
    ["value", "accel", 4],
  ]);
});

test("several metrics share the times of their samples, and the message can name the device and the interval", () => {
  const settings = {
    metrics: { x: "a.x", y: "a.y" },
    device: "id",
    interval: { path: "dt", unit: "ns" },
    start: { path: "t0", unit: "us" },
    scale: 0.5,
    offset: 1,
  };
  expect(fromJson(settings, { id: "m1", t0: NOW_US, dt: 1_500, a: { x: [2, 4], y: [6, "bad"] } })).toEqual([
    ["record", NOW_US, "m1"],
    ["value", "x", 2],
    ["value", "y", 4],
    ["record", NOW_US + 2, "m1"],
    ["value", "x", 3],
    ["value", "y", "bad"],
  ]);
});

test("without a start the last sample was measured at the arrival", () => {
  expect(timesOf(fromJson({ samples: "z", rateHz: 10 }, { z: [1, 2, 3] }))).toEqual([
    NOW_US - 200_000,
    NOW_US - 100_000,
    NOW_US,
  ]);
});

test.each([
  [{ samples: "z", rateHz: 1 }, { y: [] }, 'The samples field "z" is missing, not an array.'],
  [{ samples: "z", rateHz: 1 }, { z: 5 }, 'The samples field "z" is 5, not an array.'],
  [{ samples: "z", rateHz: 1 }, { z: [] }, "The payload has no samples."],
  [{ samples: "z", rateHz: 1, samplesMax: 2 }, { z: [1, 2, 3] }, "has 3 samples; at most 2 are read"],
  [{ metrics: { x: "x", y: "y" }, rateHz: 1 }, { x: [1], y: [1, 2] }, "have [1,2] samples, not all as many"],
  [{ samples: "z", rate: "hz" }, { z: [1], hz: 0 }, 'The field "hz" is 0, not a rate in Hz above 0.'],
  [{ samples: "z", rate: "hz" }, { z: [1] }, 'The field "hz" is missing'],
  [
    { samples: "z", interval: { path: "d", unit: "ms" } },
    { z: [1], d: "x" },
    'is "x", not an interval in ms above 0',
  ],
])("a waveform in JSON is refused as a whole: %j %j", (settings, message, sentence) => {
  expect(() => fromJson(settings, message)).toThrow(sentence);
});

test("a start or a device that is not there refuses the samples", () => {
  const start = { samples: "z", rateHz: 1, start: { path: "t0", unit: "iso" } };
  expect(fromJson(start, { z: [1], t0: 5 })).toEqual([
    ["refuse", "time.invalid", 'The start field "t0" is 5, not a time in iso.'],
  ]);
  expect(fromJson({ samples: "z", rateHz: 1, device: "id" }, { z: [1] })).toEqual([
    ["refuse", "device.invalid", 'The device field "id" is missing, not a name or a whole number.'],
  ]);
  expect(
    fromJson({ samples: "z", interval: { path: "d", unit: "s" } }, { z: [1, 2], d: 1e300 })[0]?.[0],
  ).toBe("refuse");
});

test("binary samples of several channels come in turn, after the start", () => {
  const payload = Buffer.alloc(8 + 8);
  payload.writeBigInt64LE(BigInt(NOW_US) * 1_000n + 999n, 0);
  for (const [place, value] of [100, -100, 200, -200].entries()) payload.writeInt16LE(value, 8 + place * 2);
  const settings = { type: "int16", channels: ["x", "y"], rateHz: 1_000, start: { unit: "ns" }, scale: 0.01 };
  expect(fromBytes(settings, payload)).toEqual([
    ["record", NOW_US],
    ["value", "x", 1],
    ["value", "y", -1],
    ["record", NOW_US + 1_000],
    ["value", "x", 2],
    ["value", "y", -2],
  ]);
});

test.each(["ms", "us"] as const)("a binary start may count %s, in the order of the samples", (unit) => {
  const payload = Buffer.alloc(12);
  payload.writeBigInt64BE(BigInt(unit === "ms" ? NOW_US / 1_000 : NOW_US), 0);
  payload.writeFloatBE(1.5, 8);
  const settings = { type: "float32", byteOrder: "big-endian", rateHz: 1, start: { unit } };
  expect(fromBytes(settings, payload)).toEqual([
    ["record", NOW_US],
    ["value", "accel", 1.5],
  ]);
});

const TYPES = { int16: 2, int32: 4, float32: 4, float64: 8 } as const;
const TYPE_NAMES = ["int16", "int32", "float32", "float64"] as const;

/** Writes samples by Node's own buffer methods. */
function written(type: keyof typeof TYPES, isLittle: boolean, values: readonly number[]): Buffer {
  const bytes = TYPES[type];
  const buffer = Buffer.alloc(values.length * bytes);
  const suffix = isLittle ? "LE" : "BE";
  const method = ({ int16: "Int16", int32: "Int32", float32: "Float", float64: "Double" } as const)[type];
  for (const [place, value] of values.entries()) buffer[`write${method}${suffix}`](value, place * bytes);
  return buffer;
}

test("binary samples come back as they were written, in each type and byte order, wherever they lie in memory", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TYPE_NAMES),
      fc.boolean(),
      fc.array(fc.integer({ min: -32_768, max: 32_767 }), { minLength: 1 }),
      fc.nat(7),
      (type, isLittle, values, shift) => {
        const padded = Buffer.concat([Buffer.alloc(shift), written(type, isLittle, values)]);
        const byteOrder = isLittle ? "little-endian" : "big-endian";
        const calls = fromBytes({ type, byteOrder, rateHz: 5 }, padded.subarray(shift));
        expect(calls.flatMap((call) => (call[0] === "value" ? [call[2]] : []))).toEqual(values);
      },
    ),
  );
});

test.each([
  [{ type: "int16" }, 3, "The payload has 3 bytes, not 0 and a multiple of 2."],
  [{ type: "int32", channels: ["x", "y"] }, 12, "not 0 and a multiple of 8"],
  [{ type: "int16", start: { unit: "us" } }, 6, "The payload has 6 bytes, not 8 and a multiple of 2."],
  [{ type: "int16", start: { unit: "us" } }, 8, "The payload has no samples."],
  [{ type: "int16", samplesMax: 3 }, 8, "has 4 samples; at most 3 are read"],
])("a binary waveform is refused as a whole: %j of %i bytes", (settings, bytes, sentence) => {
  expect(() => fromBytes({ rateHz: 1, ...settings }, new Uint8Array(bytes))).toThrow(sentence);
});

test.each([
  [{ format: "waveform-json", rateHz: 1 }, "give one of samples and metrics"],
  [
    { format: "waveform-json", samples: "a", metrics: { x: "b" }, rateHz: 1 },
    "give one of samples and metrics",
  ],
  [{ format: "waveform-json", samples: "a" }, "give one of rateHz, rate and interval"],
  [{ format: "waveform-json", samples: "a", rateHz: 1, rate: "b" }, "give one of rateHz, rate and interval"],
  [{ format: "waveform-json", metrics: {}, rateHz: 1 }, "names no metric"],
  [{ format: "waveform-binary", type: "int16", rateHz: 1, channels: ["x", "x"] }, "names a metric twice"],
  [{ format: "waveform-binary", type: "int16", rateHz: 1, compression: "auto" }, "cannot be auto"],
])("settings that contradict themselves are refused: %j", (settings, sentence) => {
  expect(payloadSettingsSchema.safeParse(settings).error?.message).toContain(sentence);
});
