import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import { BUNDLE_FILES } from "@sluice/shared/contract/bundle.ts";
import type { DesiredState, ModelVersion, ReportedState } from "@sluice/shared/contract/fleet.ts";
import { gatewayIdSchema } from "@sluice/shared/contract/ids.ts";
import { desiredKey, FLEET_PREFIX, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { readDesired, readReported } from "./fleet-files.ts";

export interface RollOutOptions {
  readonly store: Pick<ObjectStore, "get" | "head" | "put">;
  readonly gateways: readonly string[];
  readonly model: string;
  /** Undefined: these gateways are to run no model. */
  readonly version: number | undefined;
  readonly reason: string;
  readonly clock: Clock;
}

/** What became of one gateway's wish. `failed` says why and has written nothing. */
export type RollOutOutcome =
  | { readonly gateway: string; readonly outcome: "written" | "unchanged"; readonly revision: number }
  | { readonly gateway: string; readonly outcome: "failed"; readonly reason: string };

/**
 * Writes what each gateway is to run. A gateway that already is to run just that, and has not refused it, is left
 * alone; one gateway's failure does not keep the others from theirs.
 *
 * Each wish's revision is above the one before it and above what the gateway has answered. Wishes have one writer:
 * of two that write at once the later one wins.
 * Throws PipelineError "rollout.missing" where the version is not in the registry, or of the store before any wish.
 */
export async function rollOut(options: RollOutOptions): Promise<readonly RollOutOutcome[]> {
  const { store, gateways, model, version } = options;
  const champion = version === undefined ? undefined : { model, version };
  if (champion !== undefined) await requireVersion(store, champion);
  const outcomes: RollOutOutcome[] = [];
  for (const gateway of new Set(gateways)) outcomes.push(await wish(options, gateway, champion));
  return outcomes;
}

async function requireVersion(
  store: RollOutOptions["store"],
  { model, version }: ModelVersion,
): Promise<void> {
  const key = `${versionPrefix(model, version)}${BUNDLE_FILES.manifest}`;
  if ((await store.head(key)) !== undefined) return;
  throw new PipelineError("rollout.missing", `${model} has no version ${version}: there is no ${key}`, {
    hint: "Roll out a version that is registered in this lake.",
  });
}

async function wish(
  { store, reason, clock }: RollOutOptions,
  gateway: string,
  champion: ModelVersion | undefined,
): Promise<RollOutOutcome> {
  if (!gatewayIdSchema.safeParse(gateway).success)
    return { gateway, outcome: "failed", reason: `"${gateway}" is not a gateway's name` };
  try {
    const desired = await readDesired(store, gateway);
    const reported = await readReported(store, gateway);
    const before = desired.state === "read" ? desired.value : undefined;
    const answered = reported.state === "read" ? reported.value : undefined;
    if (before !== undefined && isSame(before.champion, champion) && answered?.refusal === undefined)
      return { gateway, outcome: "unchanged", revision: before.revision };
    const revision = Math.max(before?.revision ?? 0, answered?.desiredRevision ?? 0) + 1;
    const state: DesiredState = {
      formatVersion: 1,
      gateway,
      revision,
      ...(champion === undefined ? {} : { champion }),
      updatedAtUs: clock.nowUs(),
      reason,
    };
    await store.put(desiredKey(gateway), new TextEncoder().encode(canonicalJson(state)));
    return { gateway, outcome: "written", revision };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return { gateway, outcome: "failed", reason: describeError(error) };
  }
}

const isSame = (a: ModelVersion | undefined, b: ModelVersion | undefined): boolean =>
  a?.model === b?.model && a?.version === b?.version;

/** One gateway as the lake knows it. */
export interface FleetRow {
  readonly gateway: string;
  readonly reportedAtUs: number | undefined;
  /** "pump_health 3", "none" where it is to run no model, undefined where nothing readable was ever wanted of it. */
  readonly desired: string | undefined;
  readonly desiredRevision: number | undefined;
  /** "pump_health 2", "none", or undefined where it has not reported. */
  readonly running: string | undefined;
  readonly answeredRevision: number | undefined;
  readonly runningSinceUs: number | undefined;
  /** Why it does not run what is desired, in its own words. */
  readonly refusal: string | undefined;
  /** What of its files cannot be read. */
  readonly problems: readonly string[];
}

/** Every gateway that has a file in the lake, by name. What cannot be read is a problem of its row. */
export async function fleetState(
  store: Pick<ObjectStore, "get" | "head" | "list">,
): Promise<readonly FleetRow[]> {
  const names = new Set<string>();
  for await (const { key } of store.list(FLEET_PREFIX)) {
    const name = /^fleet\/([^/]+)\/(desired|reported)\.json$/.exec(key)?.[1];
    if (name !== undefined) names.add(name);
  }
  const rows: FleetRow[] = [];
  for (const name of names) rows.push(await readRow(store, name));
  return rows;
}

async function readRow(store: Pick<ObjectStore, "get" | "head">, gateway: string): Promise<FleetRow> {
  const desired = await readDesired(store, gateway);
  const reported = await readReported(store, gateway);
  const wanted = desired.state === "read" ? desired.value : undefined;
  const said = reported.state === "read" ? reported.value : undefined;
  return {
    gateway,
    reportedAtUs: said?.reportedAtUs,
    desired: wanted === undefined ? undefined : modelName(wanted.champion),
    desiredRevision: wanted?.revision,
    running: said === undefined ? undefined : modelName(said.champion),
    answeredRevision: said?.desiredRevision,
    runningSinceUs: said?.championSinceUs,
    refusal: said?.refusal === undefined ? undefined : refusalText(said.refusal),
    problems: [
      ...(gatewayIdSchema.safeParse(gateway).success ? [] : [`"${gateway}" is not a gateway's name`]),
      ...(desired.state === "unreadable" ? [desired.reason] : []),
      ...(reported.state === "unreadable" ? [reported.reason] : []),
    ],
  };
}

const modelName = (model: ModelVersion | undefined): string =>
  model === undefined ? "none" : `${model.model} ${model.version}`;

function refusalText({ model, version, code, message }: NonNullable<ReportedState["refusal"]>): string {
  const what = model === undefined || version === undefined ? "" : `${model} ${version}: `;
  return `${what}${message} [${code}]`;
}
