import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** Where rows came from: a range of the features stream of one gateway and epoch. */
export interface DatasetOrigin {
  readonly gateway: string;
  readonly epoch: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly rows: number;
}

/** How many rows there are of each kind, and how many were left out and why. */
export interface DatasetCounts {
  readonly train: number;
  readonly testNormal: number;
  readonly testFaulty: number;
  /** Faulty test rows whose windows begin before the cut. */
  readonly testFaultyEarlier: number;
  /** Healthy rows whose windows lie across the cut. */
  readonly purged: number;
  /** Rows without a label, left out because `assumeNormal` is off. */
  readonly unlabelled: number;
  /** Rows kept from models at the gateway, because the breaker of the view was open for the device. */
  readonly withheld: number;
  /** Rows that a newer revision replaces. */
  readonly superseded: number;
}

/** `datasets/<id>.json`: what a training set was made of, so that a model can be traced to its readings. */
export interface DatasetManifest {
  readonly formatVersion: 1;
  readonly id: string;
  readonly view: FeatureView;
  readonly viewHash: string;
  readonly knownByUs: number;
  readonly fromUs: number;
  /** Training windows end by it, healthy test windows begin at or after it. */
  readonly cutUs: number;
  readonly testShare: number;
  readonly assumeNormal: boolean;
  readonly counts: DatasetCounts;
  readonly gateways: readonly string[];
  readonly devices: number;
  readonly origins: readonly DatasetOrigin[];
  /** The labels that touch a row, as they were known by the cut-off. */
  readonly labels: readonly Label[];
}

export const datasetKey = (id: string): string => `datasets/${id}.json`;

/** Puts the manifest where `datasetKey` says. Content-addressed, so that putting it again changes nothing. */
export async function putDatasetManifest(store: ObjectStore, manifest: DatasetManifest): Promise<void> {
  const body = new TextEncoder().encode(canonicalJson(manifest));
  await store.put(datasetKey(manifest.id), body, { ifAbsent: true });
}
