import type { Random } from "@sluice/shared/runtime/random.ts";

/** Longest payload that mutation makes: what a gateway decodes without other settings. */
export const PAYLOAD_BYTES_MAX = 65_536;

/** Bytes at which formats turn: ends of ranges, signs, brackets, CBOR and protobuf heads, varints that go on. */
const EDGES = [
  0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x1f, 0x8b, 0x9f, 0xbf, 0x5b, 0x7b, 0x22, 0x2c, 0x0a, 0x5c, 0x2d, 0x65,
];

/** Texts that parsers of numbers, times and structures stumble over. */
const SNIPPETS = [
  "1e999",
  "-1e-999",
  "NaN",
  "null",
  "9007199254740993",
  "\u0000",
  "\ufeff",
  '"__proto__":',
  "[[[[[[[[",
  "{".repeat(40),
  "\\u",
  "\r\n",
  '""',
].map((text) => new TextEncoder().encode(text));

/** Numbers at which ranges end, as text. */
const NUMBERS = [
  "0",
  "-1",
  "1e999",
  "9007199254740993",
  "1e-400",
  "268435456",
  "18446744073709551616",
  "00",
  "-0",
].map((text) => new TextEncoder().encode(text));

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** Mostly one change, now and then none or several, of one of the seeds; the same random numbers give the same payload. */
export function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const seedOf = (): Uint8Array => seeds[random.int(seeds.length)] ?? new Uint8Array();
  let payload = Uint8Array.from(seedOf());
  for (let changes = random.int(3) === 0 ? random.int(5) : 1; changes > 0; changes--) {
    const change = CHANGES[random.int(CHANGES.length)];
    if (change !== undefined) payload = change(payload, random, seedOf());
  }
  return payload.subarray(0, PAYLOAD_BYTES_MAX);
}

type Change = (
  payload: Uint8Array<ArrayBuffer>,
  random: Random,
  other: Uint8Array,
) => Uint8Array<ArrayBuffer>;

const splice = (payload: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(from + put.length + payload.length - to);
  out.set(payload.subarray(0, from));
  out.set(put, from);
  out.set(payload.subarray(to), from + put.length);
  return out;
};

/** A range, mostly short. */
function range(length: number, random: Random): readonly [from: number, to: number] {
  const from = random.int(length + 1);
  const longest = random.int(4) === 0 ? length : 16;
  return [from, Math.min(length, from + random.int(longest + 1))];
}

function setByte(
  payload: Uint8Array<ArrayBuffer>,
  random: Random,
  byte: (old: number) => number,
): typeof payload {
  const at = random.int(payload.length);
  if (payload.length > 0) payload[at] = byte(payload[at] ?? 0);
  return payload;
}

const CHANGES: readonly Change[] = [
  (payload, random) => setByte(payload, random, (old) => old ^ (1 << random.int(8))),
  (payload, random) => setByte(payload, random, () => EDGES[random.int(EDGES.length)] ?? 0),
  (payload, random) => setByte(payload, random, (old) => old + 1 - 2 * random.int(2)),
  (payload, random) => setByte(payload, random, () => random.int(256)),
  (payload, random) => splice(payload, random.int(payload.length + 1), payload.length, new Uint8Array()),
  (payload, random) => splice(payload, ...range(payload.length, random), new Uint8Array()),
  (payload, random, other) => {
    const [from, to] = range(other.length, random);
    return splice(payload, ...range(payload.length, random), other.subarray(from, to));
  },
  (payload, random) => {
    const at = random.int(payload.length + 1);
    return splice(payload, at, at, SNIPPETS[random.int(SNIPPETS.length)] ?? new Uint8Array());
  },
  (payload, random) => {
    const bytes = Uint8Array.from({ length: 1 + random.int(8) }, () => random.int(256));
    return splice(payload, ...range(payload.length, random), bytes);
  },
  // Repeats a piece, now and then very often: what nests or lists without end.
  (payload, random) => {
    const [from, to] = range(payload.length, random);
    const times = random.int(16) === 0 ? 2_000 : 1 + random.int(4);
    const piece = payload.subarray(from, Math.min(to, from + 32));
    const many = new Uint8Array(piece.length * times);
    for (let i = 0; i < times; i++) many.set(piece, i * piece.length);
    return splice(payload, from, from, many);
  },
  // Another number where there is one in text.
  (payload, random) => {
    const from = payload.findIndex((byte, at) => at >= random.int(payload.length + 1) && isDigit(byte));
    const end = payload.findIndex((byte, at) => at > from && !isDigit(byte));
    const number = NUMBERS[random.int(NUMBERS.length)] ?? new Uint8Array();
    return from === -1 ? payload : splice(payload, from, end === -1 ? payload.length : end, number);
  },
  // A large number in two, four or eight bytes, where a length may be.
  (payload, random) => {
    const bytes = new Uint8Array(2 << random.int(3)).fill(random.int(2) === 0 ? 0xff : 0x7f);
    const at = random.int(payload.length + 1);
    return splice(payload, at, Math.min(payload.length, at + bytes.length), bytes);
  },
];
