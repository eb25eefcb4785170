/**
 * A unit as a product of powers: symbol to exponent, without those of exponent 0. Of dimension one, it is empty.
 *
 * Units are compared by their texts, normalised; nothing is converted. What means the same in other words (`rpm` and
 * `1/min`) is different here, and is best avoided by giving the unit that the contract stores.
 */
export type Unit = ReadonlyMap<string, number>;

export const DIMENSION_ONE: Unit = new Map();

/** Different spellings of one symbol. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ["Cel", "°C"],
  ["degC", "°C"],
  ["celsius", "°C"],
  ["degF", "°F"],
  ["sec", "s"],
  ["second", "s"],
  ["seconds", "s"],
  ["hr", "h"],
  ["hour", "h"],
  ["hours", "h"],
  ["um", "μm"],
]);

/**
 * Reads `m/s²`, `m/s^2`, `m/s2` (SenML), `m·s⁻²`, `m s-2` as one; what has another shape (`%RH`) is a symbol by itself.
 * `1` and the empty text are of dimension one.
 */
export function parseUnit(text: string): Unit {
  // NFKC makes ² a 2, ℃ a °C, the micro sign a mu.
  const plain = text.normalize("NFKC").replaceAll("\u2212", "-").trim();
  const unit = new Map<string, number>();
  let sign = 1;
  for (const part of plain.split(/([/*·⋅×.\s]+)/u)) {
    if (/^[/*·⋅×.\s]*$/u.test(part)) {
      // Each part after the first slash is below the line, as in J/kg/K; that of `J/(kg·K)` is not read apart.
      if (part.includes("/")) sign = -1;
      continue;
    }
    const factor = /^(1|[^\d\s^()]*[^\d\s^()+-])(?:\^?([+-]?\d+(?:\.\d+)?))?$/u.exec(part);
    if (factor === null) return new Map([[plain, 1]]);
    const [, symbol = "", power = "1"] = factor;
    if (symbol === "1") continue;
    multiplyIn(unit, SPELLINGS.get(symbol) ?? symbol, sign * Number(power));
  }
  return unit;
}

/** The product of two units, the second one to a power. */
export function timesUnit(unit: Unit, other: Unit, power = 1): Unit {
  const product = new Map(unit);
  for (const [symbol, exponent] of other) multiplyIn(product, symbol, exponent * power);
  return product;
}

function multiplyIn(unit: Map<string, number>, symbol: string, exponent: number): void {
  const sum = (unit.get(symbol) ?? 0) + exponent;
  if (sum === 0) unit.delete(symbol);
  else unit.set(symbol, sum);
}

export function sameUnit(unit: Unit, other: Unit): boolean {
  return unit.size === other.size && [...unit].every(([symbol, exponent]) => other.get(symbol) === exponent);
}

/** A unit for people: `m/s^2`, `1/s`, `1`. */
export function unitText(unit: Unit): string {
  const above = [...unit].filter(([, exponent]) => exponent > 0);
  const below = [...unit].filter(([, exponent]) => exponent < 0);
  const write = ([symbol, exponent]: readonly [string, number]): string =>
    Math.abs(exponent) === 1 ? symbol : `${symbol}^${Math.abs(exponent)}`;
  return [above.length === 0 ? "1" : above.map(write).join("*"), ...below.map(write)].join("/");
}

/**
 * What the unit rule of a function (`input^2`, `input*other`, `input/s`) makes of the units of its inputs; undefined
 * where the rule needs one that is not known.
 */
export function applyUnitRule(rule: string, inputs: readonly (Unit | undefined)[]): Unit | undefined {
  let unit = DIMENSION_ONE;
  for (const [symbol, exponent] of parseUnit(rule)) {
    const place = ["input", "other"].indexOf(symbol);
    const factor = place === -1 ? new Map([[symbol, 1]]) : inputs[place];
    if (factor === undefined) return undefined;
    unit = timesUnit(unit, factor, exponent);
  }
  return unit;
}
