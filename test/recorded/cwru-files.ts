import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One vibration record of the Bearing Data Center of Case Western Reserve University. */
export interface VibrationRecord {
  readonly device: string;
  readonly rpm: number;
  /** Where the fault was cut: outer race, inner race, ball; none in the normal bearing. */
  readonly fault: "OR" | "IR" | "B" | "none";
  /** The diameter of the fault; 0 where there is none. */
  readonly diameterMil: number;
  readonly rateHz: number;
  /** Acceleration at the drive end, in g. */
  readonly samples: Float32Array;
}

/** The drive-end bearing of the test stand, SKF 6205-2RS JEM: 9 balls of 0.3126 in on a pitch diameter of 1.537 in. */
export const DRIVE_END_BEARING = { balls: 9, ball_mm: 7.94, pitch_mm: 39.04 };

/** The rate of the normal records is disputed, 12 or 48 kHz: they are read as both. */
const NORMAL_RATES_HZ = [12_000, 48_000];

export const cwruFolder = (dataDir: string): string => join(dataDir, "cwru");

export const hasCwru = (dataDir: string): boolean => existsSync(join(cwruFolder(dataDir), "manifest.json"));

interface Entry {
  readonly file: string;
  readonly rpm: number;
  readonly fault: string;
  readonly diameter_mil: number | null;
  readonly fs_hz: number | null;
}

/** All records, read without any code of the product; one whose rate is disputed once for each of the rates. */
export function readCwru(dataDir: string): readonly VibrationRecord[] {
  const folder = cwruFolder(dataDir);
  const entries: readonly Entry[] = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  return entries.flatMap(({ file, rpm, fault, diameter_mil: diameterMil, fs_hz: rateHz }) => {
    const samples = readSamples(join(folder, file));
    const name = file.replace(".f32", "").replace("_DE12", "");
    return (rateHz === null ? NORMAL_RATES_HZ : [rateHz]).map((rate) => ({
      device: rateHz === null ? `${name}_${rate / 1_000}kHz` : name,
      rpm,
      fault: (["OR", "IR", "B"] as const).find((kind) => fault.startsWith(kind)) ?? "none",
      diameterMil: diameterMil ?? 0,
      rateHz: rate,
      samples,
    }));
  });
}

function readSamples(path: string): Float32Array {
  const bytes = readFileSync(path);
  const samples = new Float32Array(bytes.length / 4);
  for (let i = 0; i < samples.length; i++) samples[i] = bytes.readFloatLE(i * 4);
  return samples;
}
