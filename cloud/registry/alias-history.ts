import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { type AliasEntry, aliasEntrySchema, CHAMPION, PREVIOUS } from "@sluice/shared/contract/alias.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import { aliasKey, registryPrefix } from "@sluice/shared/contract/lake-key.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { describeIssues } from "@sluice/shared/runtime/settings-issues.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** Largest entry that is read: the reasons are the longest part and have a limit of their own. */
const ENTRY_BYTES_MAX = 65_536;

/** Writers that may be ahead of us with their entries before we give up: far more than there are people. */
const RACES_MAX = 100;

/** What an alias is to mean, before it has its place in the history. */
export type AliasChange = Pick<AliasEntry, "alias" | "version" | "who" | "why" | "atUs">;

/**
 * The history of a model's aliases: append-only, one object per entry, each with the hash of the one before.
 *
 * Entries never change, so those read once are kept. Several writers append one after the other: the one who comes
 * second reads the first one's entry before it writes its own.
 */
export class AliasHistory {
  readonly #store: ObjectStore;
  readonly #model: string;
  readonly #entries: AliasEntry[] = [];
  #lastSha256: string | undefined;

  constructor(store: ObjectStore, model: string) {
    this.#store = store;
    this.#model = model;
  }

  /** All entries, oldest first. Throws PipelineError "registry.damaged" where one is altered, unreadable or missing. */
  async read(): Promise<readonly AliasEntry[]> {
    const prefix = `${registryPrefix(this.#model)}aliases/`;
    const last = aliasKey(this.#model, this.#entries.length);
    for await (const { key } of this.#store.list(prefix, { startAfter: last })) {
      const result = await this.#store.get(key);
      if (this.#isRead(key)) continue; // Another call has read it meanwhile.
      const expected = aliasKey(this.#model, this.#entries.length + 1);
      if (key !== expected || result.state !== "found")
        throw damaged(expected, `it is missing, but there is ${key}`);
      const bytes = result.object.body;
      this.#append(parseEntry(bytes, key), sha256Hex(bytes));
    }
    return [...this.#entries];
  }

  #isRead(key: string): boolean {
    return this.#entries.length > 0 && key <= aliasKey(this.#model, this.#entries.length);
  }

  /** What an alias means now; undefined where it never meant anything. */
  async version(alias: string): Promise<number | undefined> {
    const entries = await this.read();
    if (alias === PREVIOUS) return entries.findLast((entry) => entry.alias === CHAMPION)?.fromVersion;
    return meaning(entries, alias);
  }

  /** Lets an alias mean a version from now on; where it already does, nothing is written. */
  async set(change: AliasChange): Promise<void> {
    for (let races = 0; races < RACES_MAX; races++) {
      await this.read();
      // From here to the put nothing is awaited, so that the entry's number, hash and version belong together.
      const fromVersion = meaning(this.#entries, change.alias);
      if (fromVersion === change.version) return;
      const entry: AliasEntry = {
        formatVersion: 1,
        model: this.#model,
        entry: this.#entries.length + 1,
        ...change,
        ...(fromVersion === undefined ? {} : { fromVersion }),
        ...(this.#lastSha256 === undefined ? {} : { previousSha256: this.#lastSha256 }),
      };
      const bytes = new TextEncoder().encode(canonicalJson(aliasEntrySchema.parse(entry)));
      const outcome = await this.#store.put(aliasKey(this.#model, entry.entry), bytes, { ifAbsent: true });
      if (outcome === "created") return;
    }
    throw new PipelineError("registry.busy", `${RACES_MAX} others set aliases of ${this.#model} before us`, {
      hint: "Try again; if it happens again, find out who keeps setting them with the alias history.",
    });
  }

  #append(entry: AliasEntry, sha256: string): void {
    const key = aliasKey(this.#model, this.#entries.length + 1);
    if (entry.model !== this.#model || entry.entry !== this.#entries.length + 1)
      throw damaged(key, `it says that it is entry ${entry.entry} of ${entry.model}`);
    if (entry.previousSha256 !== this.#lastSha256)
      throw damaged(key, "it does not continue the entry before it, so one of the two was altered");
    this.#entries.push(entry);
    this.#lastSha256 = sha256;
  }
}

const meaning = (entries: readonly AliasEntry[], alias: string): number | undefined =>
  entries.findLast((entry) => entry.alias === alias)?.version;

function parseEntry(bytes: Uint8Array, key: string): AliasEntry {
  if (bytes.length > ENTRY_BYTES_MAX) throw damaged(key, `it has ${bytes.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw damaged(key, "it is not JSON");
  }
  const parsed = aliasEntrySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged(key, describeIssues(parsed.error.issues, value).slice(0, 3).join("; "));
}

function damaged(key: string, why: string): PipelineError {
  return new PipelineError("registry.damaged", `the alias history is damaged at ${key}: ${why}`, {
    hint: "Compare with a backup of the lake; until it is mended nobody can say which version is live.",
  });
}
