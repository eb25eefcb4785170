import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { inEventTime, type PublishedMessage, type Recording } from "./recording.ts";

const START_US = Date.parse("2026-01-05T00:00:00Z") * 1_000;

/** An hour of the data is a minute here, so that rows can change places within the ten minutes that a view may allow. */
const ROW_US = 60_000_000;
const DELAY_MS_MAX = 480_000;

export const gasTurbineFolder = (dataDir: string): string => join(dataDir, "gas-turbine");

export const hasGasTurbine = (dataDir: string): boolean =>
  existsSync(join(gasTurbineFolder(dataDir), "gt_2011.csv"));

/** The years as devices of their own, a JSON message a row; of each at most so many rows. */
export function gasTurbineRecording(
  dataDir: string,
  views: readonly FeatureView[],
  rowsMax = Infinity,
): Recording {
  const folder = gasTurbineFolder(dataDir);
  const files = readdirSync(folder).filter((name) => name.endsWith(".csv"));
  const metrics = header(join(folder, files[0] ?? ""));
  return {
    name: "gas turbine",
    decode: {
      routes: [
        {
          topic: "turbines/{device}",
          deviceType: "turbine",
          payload: {
            format: "json",
            time: { path: "t", unit: "us" },
            metrics: Object.fromEntries(metrics.map((metric) => [metric, metric])),
          },
        },
      ],
      duplicateWindowMessages: 1_000,
    },
    views,
    messages: inEventTime(files.sort().map((name) => messagesOf(join(folder, name), rowsMax))),
    delayMsMax: DELAY_MS_MAX,
  };
}

const linesOf = (path: string): string[] => readFileSync(path, "utf8").trimEnd().split(/\r?\n/);
const header = (path: string): string[] => linesOf(path)[0]?.split(",") ?? [];

function messagesOf(path: string, rowsMax: number): PublishedMessage[] {
  const metrics = header(path);
  const device = basename(path, ".csv");
  return linesOf(path)
    .slice(1, 1 + rowsMax)
    .map((line, n) => {
      const fields = line.split(",");
      const endUs = START_US + n * ROW_US;
      const values = Object.fromEntries(metrics.map((metric, i) => [metric, Number(fields[i])]));
      const payload = new TextEncoder().encode(JSON.stringify({ t: endUs, ...values }));
      return { device, topic: `turbines/${device}`, payload, endUs };
    });
}
