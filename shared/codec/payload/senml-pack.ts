import { malformed, showValue } from "./payload-decoder.ts";

/** The version of SenML that is read: a pack of a later one must not be used (RFC 8428 §4.4). */
const VERSION = 10;

/** Longest base name, in UTF-16 units: RFC 8428 sets no limit; four names of the longest allowed are enough. */
const BASE_NAME_LENGTH_MAX = 512;

/** Times below are relative to now, from there on they are seconds since the epoch (RFC 8428 §4.5.3): 2^28. */
const RELATIVE_BELOW_S = 268_435_456;

/** The fields of one record by their JSON labels (RFC 8428 §4.3), as they were found; undefined where absent. */
export class SenmlFields {
  bver: unknown;
  bn: unknown;
  bt: unknown;
  bu: unknown;
  bv: unknown;
  bs: unknown;
  n: unknown;
  u: unknown;
  v: unknown;
  vs: unknown;
  vb: unknown;
  vd: unknown;
  s: unknown;
  t: unknown;

  clear(): void {
    this.bver = this.bn = this.bt = this.bu = this.bv = this.bs = undefined;
    this.n = this.u = this.v = this.vs = this.vb = this.vd = this.s = this.t = undefined;
  }

  /** Puts a field by its JSON label; what nobody knows is passed over, unless its name says that it must not be. */
  set(label: string, value: unknown): void {
    switch (label) {
      case "n":
        this.n = value;
        return;
      case "v":
        this.v = value;
        return;
      case "t":
        this.t = value;
        return;
      case "u":
        this.u = value;
        return;
      case "bn":
        this.bn = value;
        return;
      case "bt":
        this.bt = value;
        return;
      case "bu":
        this.bu = value;
        return;
      case "vb":
        this.vb = value;
        return;
      case "vs":
        this.vs = value;
        return;
      case "s":
        this.s = value;
        return;
      case "vd":
        this.vd = value;
        return;
      case "bv":
        this.bv = value;
        return;
      case "bs":
        this.bs = value;
        return;
      case "bver":
        this.bver = value;
        return;
      default:
        // RFC 8428 §4.4: a label that ends with "_" must be understood.
        if (label.endsWith("_"))
          throw malformed(`The pack has the field ${showValue(label)}, which must be understood and is not.`);
    }
  }
}

/** A record's own content, the base fields applied; the strings of name and base name are still two. */
export class SenmlPack {
  readonly #fields: SenmlFields;
  #place = 0;
  #version: number | undefined;
  #baseTimeUs = 0;
  #baseValue: number | undefined;
  #baseSum: number | undefined;
  #baseUnit: string | undefined;
  baseName = "";
  name = "";
  unit: string | undefined;
  /** The number, 1 or 0 of a boolean, text of a string or of data; undefined where the record has none. */
  value: unknown;
  sum: number | undefined;
  /** The event time; undefined where it is just now. */
  /** Whose clock the time is reckoned from. */
  clock: "device" | "arrival" = "device";
  measuredAtUs: number | undefined;
  /** What is wrong with the record, where it must be refused. */
  mistake: string | undefined;

  constructor(fields: SenmlFields) {
    this.#fields = fields;
  }

  /** Forgets the base fields: another pack begins. */
  begin(): void {
    this.#place = 0;
    this.#version = this.#baseValue = this.#baseSum = this.#baseUnit = undefined;
    this.#baseTimeUs = 0;
    this.baseName = "";
  }

  /**
   * Applies the base fields to the record whose fields were set (RFC 8428 §4.6); false where it has only base fields.
   *
   * Throws "payload.malformed" where a base field is wrong: all records after it would be.
   */
  next(receivedAtUs: number): boolean {
    const { n, u, v, vs, vb, vd, s, t } = this.#fields;
    this.#applyBase();
    this.#place += 1;
    if ((n ?? u ?? v ?? vs ?? vb ?? vd ?? s ?? t) === undefined) return false;
    this.mistake = undefined;
    this.name = n === undefined ? "" : this.#text("n", n);
    this.unit = u === undefined ? this.#baseUnit : this.#text("u", u);
    this.measuredAtUs = this.#time(t === undefined ? 0 : this.#number("t", t), receivedAtUs);
    this.sum = s === undefined ? this.#baseSum : (this.#baseSum ?? 0) + this.#number("s", s);
    this.value = this.#value();
    return true;
  }

  /** The place of the record at hand, from 0. */
  get place(): number {
    return this.#place - 1;
  }

  #applyBase(): void {
    const { bver, bn, bt, bu, bv, bs } = this.#fields;
    if (bver !== undefined) this.#checkVersion(bver);
    if (bn !== undefined) {
      if (typeof bn !== "string") throw this.#wrong("bn", bn, "text");
      if (bn.length > BASE_NAME_LENGTH_MAX)
        throw malformed(
          `Record ${this.#place} has a base name of ${bn.length} characters; at most ${BASE_NAME_LENGTH_MAX} are read.`,
        );
      this.baseName = bn;
    }
    if (bt !== undefined) this.#baseTimeUs = this.#baseNumber("bt", bt) * 1_000_000;
    if (bv !== undefined) this.#baseValue = this.#baseNumber("bv", bv);
    if (bs !== undefined) this.#baseSum = this.#baseNumber("bs", bs);
    if (bu === undefined) return;
    if (typeof bu !== "string") throw this.#wrong("bu", bu, "text");
    this.#baseUnit = bu;
  }

  /** RFC 8428 §4.4: one version for all records of a pack, and none that we do not know. */
  #checkVersion(bver: unknown): void {
    if (typeof bver !== "number" || !Number.isInteger(bver) || bver < 1)
      throw this.#wrong("bver", bver, "a whole number from 1 up");
    if (bver > VERSION)
      throw malformed(`The pack is of SenML version ${bver}; up to version ${VERSION} is read.`);
    const known = this.#version ?? (this.#place === 0 ? bver : VERSION);
    if (bver !== known)
      throw malformed(
        `Record ${this.#place} is of SenML version ${bver}, the records before it of ${known}.`,
      );
    this.#version = bver;
  }

  #baseNumber(label: string, value: unknown): number {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.#wrong(label, value, "a finite number");
  }

  #wrong(label: string, value: unknown, wanted: string): Error {
    return malformed(
      `The base field "${label}" of record ${this.#place} is ${showValue(value)}, not ${wanted}.`,
    );
  }

  #number(label: string, value: unknown): number {
    if (typeof value === "number") return value;
    this.mistake ??= `The field "${label}" of record ${this.place} is ${showValue(value)}, not a number.`;
    return 0;
  }

  #text(label: string, value: unknown): string {
    if (typeof value === "string") return value;
    this.mistake ??= `The field "${label}" of record ${this.place} is ${showValue(value)}, not text.`;
    return "";
  }

  /** RFC 8428 §4.5.3. Added as microseconds, because seconds of today leave a double no digits below one. */
  #time(t: number, receivedAtUs: number): number | undefined {
    const timeUs = this.#baseTimeUs + t * 1_000_000;
    if (timeUs === 0) return undefined;
    const isRelative = timeUs < RELATIVE_BELOW_S * 1_000_000;
    this.clock = isRelative ? "arrival" : "device";
    const us = Math.round(isRelative ? receivedAtUs + timeUs : timeUs);
    return Number.isSafeInteger(us) ? us : Number.NaN;
  }

  /** RFC 8428 §4.2: exactly one value, or none where there is a sum; §4.5.4: a base value stands where v is absent. */
  #value(): unknown {
    const { v, vs, vb, vd } = this.#fields;
    if (v !== undefined) {
      if ((vs ?? vb ?? vd) !== undefined) this.#tooMany();
      return typeof v === "number" ? v + (this.#baseValue ?? 0) : v;
    }
    if (vb !== undefined) {
      if ((vs ?? vd) !== undefined) this.#tooMany();
      return typeof vb === "boolean" ? Number(vb) : vb;
    }
    if (vs !== undefined && vd !== undefined) this.#tooMany();
    const text = vs ?? vd;
    if (text !== undefined) return text;
    if (this.#baseValue !== undefined) return this.#baseValue;
    if (this.sum === undefined) this.mistake ??= `Record ${this.place} has neither a value nor a sum.`;
    return undefined;
  }

  #tooMany(): void {
    this.mistake ??= `Record ${this.place} has more than one value.`;
  }
}
