import { featureViewSchema, type FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { everyFunction } from "../shared/features/functions-all.ts";

/** Two metrics of a device type, and how long a window of it is. */
interface Subject {
  readonly name: string;
  readonly deviceType: string;
  readonly metrics: readonly [string, string];
  readonly sizeMs: number;
  readonly hopMs: number;
  /** A silence that ends a session. */
  readonly gapMs: number;
  /** Readings of a window by count. */
  readonly count: number;
  readonly allowedLatenessMs: number;
}

const SKAB: Subject = {
  name: "valve",
  deviceType: "pump",
  metrics: ["Accelerometer1RMS", "Volume Flow RateRMS"],
  sizeMs: 60_000,
  hopMs: 10_000,
  gapMs: 1_500,
  count: 64,
  allowedLatenessMs: 20_000,
};

const CWRU: Subject = {
  name: "bearing",
  deviceType: "bearing",
  metrics: ["vibration", "speed"],
  sizeMs: 2_000,
  hopMs: 1_000,
  gapMs: 100,
  count: 16_384,
  allowedLatenessMs: 1_000,
};

const GAS_TURBINE: Subject = {
  name: "turbine",
  deviceType: "turbine",
  metrics: ["TIT", "NOX"],
  sizeMs: 7_200_000,
  hopMs: 1_200_000,
  gapMs: 120_000,
  count: 48,
  allowedLatenessMs: 600_000,
};

/** Every function of the library over every kind of window, or over those that are named. */
function viewsOf(subject: Subject, kinds?: readonly string[]): FeatureView[] {
  const { name, deviceType, metrics, sizeMs, hopMs, gapMs, count, allowedLatenessMs } = subject;
  const windows = [
    { kind: "tumbling", sizeMs: hopMs },
    { kind: "hopping", sizeMs, hopMs },
    { kind: "sliding", sizeMs, hopMs },
    { kind: "session", sizeMs, gapMs },
    { kind: "count", of: "a", readings: count, hopReadings: count / 2 },
  ];
  const wanted = windows.filter(({ kind }) => kinds?.includes(kind) ?? true);
  return wanted.map((window) =>
    featureViewSchema.parse({
      name: `${name}_${window.kind}`,
      owner: "tests",
      match: { deviceType },
      window: { allowedLatenessMs, correctionMs: allowedLatenessMs, ...window },
      inputs: { a: { metric: metrics[0] }, b: { metric: metrics[1] } },
      features: everyFunction().map((feature) => ({ name: feature.fn, ...feature })),
    }),
  );
}

export const PARITY_VIEWS = {
  skab: viewsOf(SKAB),
  // A window of 24,000 samples costs a hundred times as much as one of the others.
  cwru: viewsOf(CWRU, ["tumbling", "hopping", "count"]),
  gasTurbine: viewsOf(GAS_TURBINE),
};
