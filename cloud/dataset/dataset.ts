import { createHash } from "node:crypto";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { NORMAL_LABEL, type Label } from "@sluice/shared/contract/label.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { DatasetCounts, DatasetManifest, DatasetOrigin } from "./manifest.ts";
import { selectNewest } from "./newest.ts";
import { compareText } from "./order.ts";
import { gatherRows, type RowSet } from "./row-set.ts";
import type { DatasetSettings } from "./settings.ts";
import type { VectorSource, VectorTable } from "./source.ts";
import { labelOfWindow, resolveLabels } from "./truth.ts";

/** Most values (rows times features) of one training set: 64 Mi doubles are 512 MiB of memory. */
const VALUES_MAX = 64 * 1_048_576;

/** What a training set is to be made of. */
export interface DatasetSpec extends DatasetSettings {
  readonly view: FeatureView;
  readonly viewHash: string;
  /** The cut-off: nothing that became known later takes part. Microseconds. */
  readonly knownByUs: number;
}

/**
 * A training set, split by time.
 *
 * - `train`: healthy windows that end by the cut.
 * - `test`: healthy windows that begin at or after the cut, and every faulty window.
 * - Healthy windows across the cut are purged: no reading is on both sides.
 *
 * Models are fitted on healthy rows alone, so a fault from before the cut is as unseen as one from after it; it is
 * tested wherever it is, because faults are rare and dropping them would leave nothing to be compared on. The manifest
 * counts these rows apart. Functions that remember (averages over the past) carry a little of the past over the cut,
 * as they do in operation.
 */
export interface Dataset {
  /** SHA-256 over the description and every row: the same inputs give the same id, on every machine. */
  readonly id: string;
  readonly view: FeatureView;
  readonly viewHash: string;
  /** Names of the columns of `values`, as in the view. */
  readonly features: readonly string[];
  readonly train: RowSet;
  readonly test: RowSet;
  readonly manifest: DatasetManifest;
}

/**
 * Builds the training set as it could be known at the cut-off.
 *
 * Throws PipelineError "dataset.empty" where no healthy window is left, "dataset.too_large", "dataset.damaged" where
 * the source's columns do not fit the view or hold a value that is not finite.
 */
export async function buildDataset(source: VectorSource, spec: DatasetSpec): Promise<Dataset> {
  const { view, viewHash, knownByUs } = spec;
  const fromUs = knownByUs - Math.round(spec.historyHours * 3_600_000_000);
  const table = await source.vectors({ viewHash, fromUs, knownByUs });
  const labels = (await source.labels({ knownByUs })).filter((label) => label.knownAtUs <= knownByUs);
  const features = view.features.map((feature) => feature.name);
  checkShape(table, features.length);

  const { rows: newest, superseded, outside } = selectNewest(table, { fromUs, knownByUs });
  // A model never gets them, so it learns nothing from them either.
  const rows = newest.filter((row) => table.withheld[row] !== 1);
  const split = splitRows(table, rows, { labels, spec });
  const counts = { ...split.counts, superseded, withheld: newest.length - rows.length };
  if (split.train.length === 0) throw emptyError(spec, { ...counts, outside });
  const used = [...split.train, ...split.test];
  checkFinite(table, used, features);

  const train = gatherRows(table, split.train, split.labelOf);
  const test = gatherRows(table, split.test, split.labelOf);
  const description = {
    formatVersion: 1 as const,
    view,
    viewHash,
    knownByUs,
    fromUs,
    cutUs: split.cutUs,
    testShare: spec.testShare,
    assumeNormal: spec.assumeNormal,
    counts,
    gateways: [...new Set([...train.gateway, ...test.gateway])].sort(compareText),
    devices: new Set([...train.device, ...test.device]).size,
    origins: originsOf(table, used),
    labels: labelsTouching(labels, [train, test]),
  };
  const id = datasetId(description, [train, test]);
  return { id, view, viewHash, features, train, test, manifest: { ...description, id } };
}

interface Split {
  readonly train: readonly number[];
  readonly test: readonly number[];
  readonly labelOf: (row: number) => string | undefined;
  readonly cutUs: number;
  readonly counts: Omit<DatasetCounts, "superseded" | "withheld">;
}

function splitRows(
  table: VectorTable,
  rows: readonly number[],
  { labels, spec }: { labels: readonly Label[]; spec: DatasetSpec },
): Split {
  const truth = resolveLabels(labels);
  const startUs = (row: number): number => table.windowStartUs[row] ?? NaN;
  const endUs = (row: number): number => table.windowEndUs[row] ?? NaN;
  const byRow = new Map(
    rows.map((row) => {
      const window = { startUs: startUs(row), endUs: endUs(row) };
      return [row, labelOfWindow(truth, table.device[row] ?? "", window)] as const;
    }),
  );
  const labelOf = (row: number): string | undefined => byRow.get(row);
  const isFaulty = (row: number): boolean => labelOf(row) !== undefined && labelOf(row) !== NORMAL_LABEL;
  const isUnlabelled = (row: number): boolean => !spec.assumeNormal && labelOf(row) === undefined;

  const healthy = rows.filter((row) => !isFaulty(row) && !isUnlabelled(row));
  const last = healthy[Math.max(0, Math.floor(healthy.length * (1 - spec.testShare)) - 1)];
  const cutUs = last === undefined ? spec.knownByUs : endUs(last);
  const train = healthy.filter((row) => endUs(row) <= cutUs);
  const isLater = (row: number): boolean => startUs(row) >= cutUs;
  const test = rows.filter((row) => isFaulty(row) || (!isUnlabelled(row) && isLater(row)));
  const faulty = test.filter(isFaulty);
  const testNormal = test.length - faulty.length;
  const counts = {
    train: train.length,
    testNormal,
    testFaulty: faulty.length,
    testFaultyEarlier: faulty.filter((row) => !isLater(row)).length,
    purged: healthy.length - train.length - testNormal,
    unlabelled: rows.filter(isUnlabelled).length,
  };
  return { train, test, labelOf, cutUs, counts };
}

function checkShape(table: VectorTable, width: number): void {
  const count = table.seq.length;
  if (count * width > VALUES_MAX)
    throw new PipelineError("dataset.too_large", `${count} vectors of ${width} features`, {
      hint: `At most ${VALUES_MAX} values are read at once; set a smaller historyHours.`,
    });
  const columns = {
    gateway: table.gateway.length,
    epoch: table.epoch.length,
    device: table.device.length,
    windowStartUs: table.windowStartUs.length,
    windowEndUs: table.windowEndUs.length,
    revision: table.revision.length,
    closedAtUs: table.closedAtUs.length,
    withheld: table.withheld.length,
    values: table.values.length / width,
  };
  for (const [name, length] of Object.entries(columns))
    if (length !== count)
      throw new PipelineError("dataset.damaged", `column ${name} has ${length} rows, seq has ${count}`, {
        hint: `The view has ${width} features; every vector must have as many values.`,
      });
}

function checkFinite(table: VectorTable, rows: readonly number[], features: readonly string[]): void {
  for (const row of rows)
    for (const [column, feature] of features.entries()) {
      const value = table.values[row * features.length + column] ?? NaN;
      if (Math.abs(value) === Infinity)
        throw new PipelineError(
          "dataset.damaged",
          `feature ${feature} of ${table.device[row]} at ${table.windowStartUs[row]} is ${value}`,
          { hint: `See row ${table.seq[row]} of gateway ${table.gateway[row]} in the table features.` },
        );
    }
}

function emptyError(spec: DatasetSpec, counts: DatasetCounts & { outside: number }): PipelineError {
  return new PipelineError("dataset.empty", `no healthy window of view ${spec.view.name} to train on`, {
    hint:
      `Left out: ${counts.testFaulty} faulty, ${counts.unlabelled} unlabelled, ${counts.superseded} superseded, ` +
      `${counts.withheld} withheld, ` +
      `${counts.outside} outside the history or not known yet. Wait for windows, label healthy time, or set assumeNormal.`,
  });
}

function originsOf(table: VectorTable, rows: readonly number[]): readonly DatasetOrigin[] {
  const groups = Map.groupBy(rows, (row) => `${table.gateway[row] ?? ""}\n${table.epoch[row] ?? ""}`);
  return [...groups]
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, own]) => {
      const [gateway = "", epoch = ""] = key.split("\n");
      const seqs = own.map((row) => table.seq[row] ?? NaN);
      const fromSeq = seqs.reduce((a, b) => Math.min(a, b));
      const toSeq = seqs.reduce((a, b) => Math.max(a, b));
      return { gateway, epoch, fromSeq, toSeq, rows: own.length };
    });
}

function labelsTouching(labels: readonly Label[], parts: readonly RowSet[]): readonly Label[] {
  const spans = new Map<string, { fromUs: number; toUs: number }>();
  for (const part of parts)
    for (const [row, device] of part.device.entries()) {
      const span = spans.get(device) ?? { fromUs: Infinity, toUs: -Infinity };
      span.fromUs = Math.min(span.fromUs, part.windowStartUs[row] ?? Infinity);
      span.toUs = Math.max(span.toUs, part.windowEndUs[row] ?? -Infinity);
      spans.set(device, span);
    }
  return labels
    .filter((label) => {
      const span = spans.get(label.device);
      return span !== undefined && label.fromUs < span.toUs && span.fromUs < label.toUs;
    })
    .map((label) => ({ label, text: canonicalJson(label) }))
    .sort((a, b) => compareText(a.text, b.text))
    .map(({ label }) => label);
}

function datasetId(description: object, parts: readonly RowSet[]): string {
  const hash = createHash("sha256").update(canonicalJson(description));
  for (const part of parts) {
    const names = part.gateway.map((gateway, row) => [gateway, part.device[row], part.label[row] ?? null]);
    hash.update(canonicalJson(names));
    for (const column of [part.windowStartUs, part.windowEndUs, part.values])
      hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  }
  return hash.digest("hex");
}
