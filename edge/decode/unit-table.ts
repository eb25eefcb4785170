/**
 * A unit of a dimension: amount in the base unit = (value + zeroHundredths / 100) * n / d. All whole wherever the
 * definition is, so that no digit is lost.
 */
export interface Scale {
  readonly n: number;
  readonly d: number;
  readonly zeroHundredths: number;
}

type Row = readonly [symbols: string, n: number, d?: number, zeroHundredths?: number];

const POUND_FORCE_1E13 = 44_482_216_152_605; // 4.4482216152605 N exactly.
const INCH_SQUARED_1E8 = 64_516; // 0.00064516 m² exactly.

/**
 * The units that can be converted into each other, by dimension; several symbols in one string are one unit. The first
 * row of each is the base.
 *
 * Symbols: the SenML units (RFC 8428 §12.1), the secondary units (RFC 8798 §3) and what devices write instead
 * (degC, rpm, L/min). `A.s` and `W.s` are the units of SenML's sums over time (RFC 8428 §4.2), and the coulomb and the
 * joule by definition (SI brochure, 9th edition, table 4). Factors: NIST SP 811 (2008), appendix B; the inch, the pound and the standard gravity are exact
 * by definition. A symbol may stand in two dimensions, such as g for gram and for standard gravity: the other unit
 * of a conversion says which is meant.
 */
const TABLE: Readonly<Record<string, readonly Row[]>> = {
  temperature: [
    ["K", 1],
    ["Cel °C degC celsius C", 1, 1, 27_315],
    ["°F degF fahrenheit F", 5, 9, 45_967],
  ],
  pressure: [
    ["Pa", 1],
    ["hPa mbar", 100],
    ["kPa", 1_000],
    ["MPa", 1_000_000],
    ["bar", 100_000],
    ["psi", POUND_FORCE_1E13, INCH_SQUARED_1E8 * 100_000],
    ["atm", 101_325],
    ["mmHg", 133_322_387_415, 1_000_000_000],
    ["Torr", 101_325, 760],
  ],
  length: [
    ["m", 1],
    ["km", 1_000],
    ["cm", 1, 100],
    ["mm", 1, 1_000],
    ["um µm", 1, 1_000_000],
    ["in", 254, 10_000],
    ["ft", 3_048, 10_000],
    ["mil", 254, 10_000_000],
  ],
  speed: [
    ["m/s", 1],
    ["km/h", 10, 36],
    ["mm/s", 1, 1_000],
    ["cm/s", 1, 100],
    ["m/min", 1, 60],
    ["m/h", 1, 3_600],
    ["mm/h", 1, 3_600_000],
    ["in/s ips", 254, 10_000],
    ["ft/s", 3_048, 10_000],
    ["ft/min", 3_048, 600_000],
    ["mph", 1_609_344, 3_600_000],
    ["kn", 1_852, 3_600],
  ],
  acceleration: [
    ["m/s2 m/s²", 1],
    ["mm/s2 mm/s²", 1, 1_000],
    ["g gn g_n", 980_665, 100_000],
    ["mg", 980_665, 100_000_000],
    ["Gal", 1, 100],
  ],
  frequency: [
    ["Hz 1/s", 1],
    ["mHz", 1, 1_000],
    ["kHz", 1_000],
    ["MHz", 1_000_000],
    ["rpm 1/min r/min beat/min", 1, 60],
    ["rad/s", 1, 2 * Math.PI],
    ["deg/s °/s", 1, 360],
  ],
  angle: [
    ["rad", 1],
    ["deg °", Math.PI, 180],
    ["rev", 2 * Math.PI],
  ],
  mass: [
    ["kg", 1],
    ["g", 1, 1_000],
    ["mg", 1, 1_000_000],
    ["t", 1_000],
    ["lb", 45_359_237, 100_000_000],
    ["oz", 45_359_237, 1_600_000_000],
  ],
  time: [
    ["s", 1],
    ["ms", 1, 1_000],
    ["us µs", 1, 1_000_000],
    ["min", 60],
    ["h", 3_600],
    ["d", 86_400],
  ],
  area: [
    ["m2 m²", 1],
    ["cm2 cm²", 1, 10_000],
    ["mm2 mm²", 1, 1_000_000],
  ],
  volume: [
    ["m3 m³", 1],
    ["l L", 1, 1_000],
    ["ml mL cm3 cm³", 1, 1_000_000],
    ["gal", 3_785_411_784, 1_000_000_000_000],
  ],
  flow: [
    ["m3/s m³/s", 1],
    ["m3/h m³/h", 1, 3_600],
    ["m3/min m³/min", 1, 60],
    ["l/s L/s", 1, 1_000],
    ["l/min L/min lpm", 1, 60_000],
    ["l/h L/h", 1, 3_600_000],
    ["ml/min mL/min", 1, 60_000_000],
    ["gal/min gpm", 3_785_411_784, 60_000_000_000_000],
  ],
  massFlow: [
    ["kg/s", 1],
    ["kg/min", 1, 60],
    ["kg/h", 1, 3_600],
    ["g/s", 1, 1_000],
    ["t/h", 10, 36],
  ],
  force: [
    ["N", 1],
    ["kN", 1_000],
    ["lbf", POUND_FORCE_1E13, 10_000_000_000_000],
  ],
  torque: [
    ["Nm N.m N·m", 1],
    ["kNm", 1_000],
  ],
  voltage: [
    ["V", 1],
    ["mV", 1, 1_000],
    ["uV µV", 1, 1_000_000],
    ["kV", 1_000],
  ],
  current: [
    ["A", 1],
    ["mA", 1, 1_000],
    ["uA µA", 1, 1_000_000],
    ["kA", 1_000],
  ],
  resistance: [
    ["Ohm ohm Ω", 1],
    ["mOhm mΩ", 1, 1_000],
    ["kOhm kΩ", 1_000],
    ["MOhm MΩ", 1_000_000],
  ],
  charge: [
    ["C A.s", 1],
    ["Ah", 3_600],
    ["mAh", 36, 10],
  ],
  capacitance: [
    ["F", 1],
    ["uF µF", 1, 1_000_000],
  ],
  power: [
    ["W", 1],
    ["mW", 1, 1_000],
    ["kW", 1_000],
    ["MW", 1_000_000],
  ],
  apparentPower: [
    ["VA", 1],
    ["kVA", 1_000],
  ],
  reactivePower: [
    ["var", 1],
    ["kvar", 1_000],
  ],
  energy: [
    ["J W.s", 1],
    ["kJ", 1_000],
    ["MJ", 1_000_000],
    ["Wh", 3_600],
    ["kWh", 3_600_000],
    ["MWh", 3_600_000_000],
  ],
  conductivity: [
    ["S/m", 1],
    ["mS/cm", 1, 10],
    ["uS/cm µS/cm", 1, 10_000],
  ],
  concentration: [
    ["kg/m3 kg/m³", 1],
    ["g/m3 g/m³ mg/l mg/L", 1, 1_000],
    ["mg/m3 mg/m³", 1, 1_000_000],
    ["ug/m3 µg/m³", 1, 1_000_000_000],
  ],
  ratio: [
    ["/ 1", 1],
    ["% /100", 1, 100],
    ["‰ /1000", 1, 1_000],
    ["ppm", 1, 1_000_000],
    ["ppb", 1, 1_000_000_000],
  ],
  humidity: [["%RH", 1]],
  illuminance: [["lx", 1]],
  magneticFluxDensity: [
    ["T", 1],
    ["mT", 1, 1_000],
    ["uT µT", 1, 1_000_000],
    ["G", 1, 10_000],
  ],
  data: [
    ["bit", 1],
    ["B byte", 8],
    ["KiB", 8_192],
    ["GB", 8_000_000_000],
  ],
  dataRate: [
    ["bit/s", 1],
    ["Mbit/s", 1_000_000],
    ["B/s", 8],
    ["MB/s", 8_000_000],
  ],
};

/** What each symbol means, by dimension. */
export const UNITS: ReadonlyMap<string, ReadonlyMap<string, Scale>> = unitsOf(TABLE);

function unitsOf(table: typeof TABLE): Map<string, Map<string, Scale>> {
  const units = new Map<string, Map<string, Scale>>();
  for (const [dimension, rows] of Object.entries(table))
    for (const [symbols, n, d = 1, zeroHundredths = 0] of rows)
      for (const symbol of symbols.split(" ")) {
        const meanings = units.get(symbol) ?? new Map<string, Scale>();
        units.set(symbol, meanings.set(dimension, { n, d, zeroHundredths }));
      }
  return units;
}
