import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** SKAB's sensors with their units (README of the data set). */
export const SKAB_METRICS: Readonly<Record<string, { readonly unit: string; readonly input: string }>> = {
  Accelerometer1RMS: { unit: "g", input: "accelerometer_1" },
  Accelerometer2RMS: { unit: "g", input: "accelerometer_2" },
  Current: { unit: "A", input: "current" },
  Pressure: { unit: "bar", input: "pressure" },
  Temperature: { unit: "°C", input: "temperature" },
  Thermocouple: { unit: "°C", input: "thermocouple" },
  Voltage: { unit: "V", input: "voltage" },
  "Volume Flow RateRMS": { unit: "L/min", input: "flow" },
};

export interface RecordedRow {
  readonly measuredAtUs: number;
  /** In the order of SKAB_METRICS. */
  readonly values: readonly number[];
  /** What the experimenter noted; false where the file has no such column. */
  readonly anomalous: boolean;
}

export interface RecordedFile {
  readonly device: string;
  readonly path: string;
  readonly rows: readonly RecordedRow[];
}

/** How many rows they hold together. */
export const rowsOf = (files: readonly RecordedFile[]): number =>
  files.reduce((sum, { rows }) => sum + rows.length, 0);

/** Where the files are below the data folder. */
export const skabFolder = (dataDir: string): string => join(dataDir, "skab", "data");

/** One healthy run and the sixteen runs in which a valve was closed, read without any code of the product. */
export function readSkab(dataDir: string): { healthy: RecordedFile; valve1: readonly RecordedFile[] } {
  const folder = skabFolder(dataDir);
  const valve1 = readdirSync(join(folder, "valve1"))
    .filter((name) => name.endsWith(".csv"))
    .sort()
    .map((name) => readFile(join(folder, "valve1", name), `valve1-${basename(name, ".csv")}`));
  const healthy = readFile(join(folder, "anomaly-free", "anomaly-free.csv"), "anomaly-free-anomaly-free");
  return { healthy, valve1 };
}

function readFile(path: string, device: string): RecordedFile {
  const [header = "", ...lines] = readFileSync(path, "utf8").trimEnd().split(/\r?\n/);
  const names = header.split(";");
  const places = Object.keys(SKAB_METRICS).map((metric) => names.indexOf(metric));
  const [time, anomaly] = [names.indexOf("datetime"), names.indexOf("anomaly")];
  if (places.includes(-1) || time === -1) throw new Error(`${path} lacks a column: ${header}`);
  const rows = lines.map((line): RecordedRow => {
    const fields = line.split(";");
    return {
      measuredAtUs: Date.parse(`${fields[time]?.replace(" ", "T")}Z`) * 1_000,
      values: places.map((place) => Number(fields[place])),
      anomalous: anomaly !== -1 && Number(fields[anomaly]) > 0,
    };
  });
  return { device, path, rows };
}
