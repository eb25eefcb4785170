import { viewHash } from "@sluice/shared/codec/hash.ts";
import { type DeviceContract, deviceContractSchema } from "@sluice/shared/contract/device-contract.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { readSettingsFile } from "@sluice/shared/runtime/settings-file.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { computableViewSchema } from "../config.ts";
import { findView, listViews, type PublishedView } from "./views.ts";

/** One mistake in a file of views, with the path to it. */
export interface FileIssue {
  readonly path: string;
  readonly reason: string;
}

/** What a file holds: each view that is in order, and every mistake of the others. */
export interface ReadFile {
  readonly file: string;
  readonly views: readonly (PublishedView & { readonly path: readonly PropertyKey[] })[];
  readonly issues: readonly FileIssue[];
  /** Of device types, where the file is the settings of a gateway. */
  readonly contracts: readonly DeviceContract[];
}

/**
 * Reads a file of JSON or YAML with one view, a list of views, or the settings of a gateway or of the cloud with their
 * views, and checks each as a gateway does: by the schema, then by what the engine can compute.
 */
export function readViewFile(file: string): ReadFile {
  let input: unknown;
  try {
    input = readSettingsFile(file, {}, (found) => ({ data: { found } })).found;
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return { file, views: [], issues: [{ path: "(the file)", reason: describeError(error) }], contracts: [] };
  }
  const candidates = candidatesIn(input);
  const views: ReadFile["views"][number][] = [];
  const issues: FileIssue[] = [];
  for (const { path, value } of candidates) {
    const { data, error } = computableViewSchema.safeParse(value);
    for (const issue of error?.issues ?? [])
      issues.push({ path: pathText([...path, ...issue.path]), reason: issue.message });
    if (data !== undefined) views.push({ view: data, hash: viewHash(data), path });
  }
  return { file, views, issues, contracts: contractsIn(input) };
}

export const pathText = (path: readonly PropertyKey[]): string => path.map(String).join(".") || "(the view)";

/** The contracts that are in order; what is wrong with the others, `sluice-gateway config check` says. */
function contractsIn(input: unknown): readonly DeviceContract[] {
  const contracts = at(at(input, "decode"), "contracts");
  if (!Array.isArray(contracts)) return [];
  return contracts.flatMap((contract) => deviceContractSchema.safeParse(contract).data ?? []);
}

interface Candidate {
  readonly path: readonly PropertyKey[];
  readonly value: unknown;
}

function candidatesIn(input: unknown): readonly Candidate[] {
  const listed = (list: readonly unknown[], path: readonly PropertyKey[]): readonly Candidate[] =>
    list.map((value, i) => ({ path: [...path, i], value }));
  if (Array.isArray(input)) return listed(input, []);
  const views = at(at(input, "features"), "views");
  if (Array.isArray(views)) return listed(views, ["features", "views"]);
  const models = at(input, "models");
  if (Array.isArray(models))
    return models.map((model, i) => ({ path: ["models", i, "view"], value: at(model, "view") }));
  return [{ path: [], value: input }];
}

const at = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;

/** Whether somebody means a file, by the end of its name: no view is called like that. */
export const isFile = (text: string): boolean => /\.(json|ya?ml)$/i.test(text);

/** The view that somebody names, or the only one of a file that he names. Throws PipelineError "config.view". */
export async function chooseView(
  store: Pick<ObjectStore, "list" | "get">,
  wanted: string,
): Promise<PublishedView> {
  return isFile(wanted) ? onlyViewOf(wanted) : findView((await listViews(store)).views, wanted);
}

/** The only view of a file. Throws PipelineError "config.view" where there is none, several, or a mistake. */
export function onlyViewOf(wanted: string): PublishedView {
  const { views, issues } = readViewFile(wanted);
  const [first, second] = views;
  if (first !== undefined && second === undefined && issues.length === 0) return first;
  throw new PipelineError(
    "config.view",
    issues.length > 0
      ? `${wanted}: ${issues.map(({ path, reason }) => `${path}: ${reason}`).join("; ")}`
      : `${wanted} holds ${views.length} views`,
    { hint: "Give a file with one view; `features lint` says what is wrong with it." },
  );
}
