/** How much water is asked for over time, as a share of the pump's best flow. */
export const DEMAND_PROFILES = ["demo", "daily"] as const;
export type DemandProfile = (typeof DEMAND_PROFILES)[number];

const DAY_S = 86_400;

/**
 * The share asked for at a moment, from 0.6 to 1.1.
 *
 * "demo" goes through its whole range every 20 s, so that one minute of healthy data shows every load. "daily" is
 * a town's: low at night, a high morning and a lower evening peak (UTC), and a slow wobble. `phase`, from 0 to 1,
 * sets pumps apart from each other.
 */
export function demandAt(profile: DemandProfile, nowUs: number, phase: number): number {
  const second = nowUs / 1e6;
  if (profile === "demo") {
    // A third of the period: what happens repeats exactly, and the load is no plain circle.
    return 0.85 + 0.18 * wave(second, 20, phase) + 0.04 * wave(second, 20 / 3, 2 * phase);
  }
  const hour = (second % DAY_S) / 3_600;
  const peak = (atHour: number, widthHours: number): number =>
    Math.exp(-0.5 * ((((hour - atHour + 36) % 24) - 12) / widthHours) ** 2);
  return 0.65 + 0.32 * peak(8, 2) + 0.25 * peak(19, 2.5) + 0.05 * wave(second, 900, phase);
}

/** The plant room's temperature in °C: the same all day in "demo", warmest in the afternoon (UTC) in "daily". */
export function ambientAt(profile: DemandProfile, nowUs: number): number {
  return profile === "demo" ? 22 : 22 + 4 * wave(nowUs / 1e6, DAY_S, -10 / 24);
}

function wave(second: number, periodS: number, phase: number): number {
  return Math.sin(2 * Math.PI * ((second % periodS) / periodS + phase));
}
