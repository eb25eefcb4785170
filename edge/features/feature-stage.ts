import { viewHash } from "@sluice/shared/codec/hash.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { featureViewSchema, type FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { checkContracts } from "@sluice/shared/features/check-contracts.ts";
import { CheckpointReader, CheckpointWriter } from "@sluice/shared/features/checkpoint.ts";
import { ViewError } from "@sluice/shared/features/view-error.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** A view that is being computed, and the first message offset that it saw. */
export interface ComputedView {
  readonly view: FeatureView;
  readonly hash: string;
  readonly sinceOffset: number;
  /** Devices whose vectors are kept from models now. */
  readonly withheldDevices: number;
}

/** Readings from before now, all from a message on. */
export interface Past {
  readonly sinceOffset: number;
  readonly blocks: () => Iterable<ReadingBlock>;
  /** Whether a view, by its hash, begins with them. */
  readonly isFor: (hash: string) => boolean;
}

const NO_PAST: Past = { sinceOffset: 0, blocks: () => [], isFor: () => false };

/** A view whose windows could not be restored. */
export interface LostView {
  readonly view: string;
  readonly reason: string;
}

/**
 * Readings → one feature vector per closed or revised window, for any number of views.
 *
 * Vectors are ordered by the message that made them, then by view, then as the devices came, then by window end, so
 * cutting the messages into other blocks changes nothing. State is in memory; the caller stores checkpoints with the offset they cover.
 */
export class FeatureStage {
  #engines: readonly WindowEngine[] = [];
  /** Room for the next checkpoint. */
  #checkpointBytes = 4_096;

  /** Throws PipelineError "view.invalid" where a view asks for a function or setting that does not exist. */
  constructor(views: readonly FeatureView[], sinceOffset: number) {
    this.setViews(views, sinceOffset);
  }

  /** Throws PipelineError "view.invalid" where a view cannot be computed, or not of what these contracts let in. */
  static check(view: FeatureView, contracts: readonly DeviceContract[]): void {
    startEngine(view, viewHash(view), 0);
    const issues = checkContracts(view, contracts);
    if (issues.length > 0) throw invalid(new ViewError(view.name, issues));
  }

  /** Takes the readings of the next messages, all of each. */
  process(block: ReadingBlock): FeatureVector[] {
    return inOrder(this.#engines.map((engine) => engine.process(block)));
  }

  /** The arrival time from which on the next message closes windows of a silent device; infinity where none would. */
  get idleDueAtUs(): number {
    return Math.min(...this.#engines.map((engine) => engine.idleDueAtUs));
  }

  views(): readonly ComputedView[] {
    return this.#engines.map(({ view, hash, sinceOffset, withheldDevices }) => ({
      view,
      hash,
      sinceOffset,
      withheldDevices,
    }));
  }

  /**
   * Computes these views from now on. One that is already there goes on with its state; a new one begins with the
   * message at `nextOffset`, or, where the past is for it, takes all readings from there to now before it goes on with
   * the others; the same view twice is computed once. Returns what new ones made of the past. Throws as the
   * constructor, changing nothing.
   */
  setViews(views: readonly FeatureView[], nextOffset: number, past: Past = NO_PAST): FeatureVector[] {
    const kept = new Map(this.#engines.map((engine) => [engine.hash, engine]));
    const next = new Map<string, WindowEngine>();
    for (const view of views) {
      const hash = viewHash(view);
      const sinceOffset = past.isFor(hash) ? past.sinceOffset : nextOffset;
      if (!next.has(hash)) next.set(hash, kept.get(hash) ?? startEngine(view, hash, sinceOffset));
    }
    this.#engines = [...next.values()];
    const added = this.#engines.filter(({ hash }) => !kept.has(hash) && past.isFor(hash));
    const made: FeatureVector[] = [];
    if (added.length > 0)
      for (const block of past.blocks()) made.push(...inOrder(added.map((engine) => engine.process(block))));
    return made;
  }

  /** The views and their exact state: a stage restored from it goes on with the same bits. */
  checkpoint(): Uint8Array {
    const to = new CheckpointWriter(this.#checkpointBytes);
    to.number(this.#engines.length);
    for (const engine of this.#engines) {
      to.text(JSON.stringify(engine.view));
      to.nested((inner) => engine.save(inner));
    }
    const bytes = to.finish();
    this.#checkpointBytes = Math.ceil(bytes.length * 1.25);
    return bytes;
  }

  /**
   * The stage of a checkpoint. A view that cannot be restored, because other code wrote it or bytes are damaged, is left
   * out and named in `lost`: its windows begin anew when it is set again.
   */
  static restore(bytes: Uint8Array): { readonly stage: FeatureStage; readonly lost: readonly LostView[] } {
    const stage = new FeatureStage([], 0);
    const engines: WindowEngine[] = [];
    const lost: LostView[] = [];
    try {
      const from = new CheckpointReader(bytes);
      for (let left = from.count(); left > 0; left--) {
        const text = from.text();
        const state = from.block();
        let view = "one";
        try {
          const parsed = featureViewSchema.parse(JSON.parse(text));
          view = parsed.name;
          engines.push(WindowEngine.restore(parsed, viewHash(parsed), state));
        } catch (error) {
          lost.push({ view, reason: reasonOf(error) });
        }
      }
      from.end();
    } catch (error) {
      lost.push({ view: "all of the rest", reason: reasonOf(error) });
    }
    stage.#engines = engines;
    return { stage, lost };
  }

  /** What became of the readings, per view name: vectors, revisions, late, late_beyond_correction, idle, shed, restarts. */
  counters(): Record<string, number> {
    const totals: Record<string, number> = {};
    for (const engine of this.#engines) {
      const counters = engine.counters();
      const named = {
        vectors: counters.vectors,
        revisions: counters.revisions,
        late: counters.late,
        late_beyond_correction: counters.lateBeyondCorrection,
        idle: counters.idle,
        violating: counters.violating,
        withheld: counters.withheld,
        shed_readings: counters.shedReadings,
        shed_windows: counters.shedWindows,
        shed_devices: counters.shedDevices,
        restarts: counters.restarts,
      };
      for (const [name, value] of Object.entries(named)) {
        const key = `features.${engine.view.name}.${name}`;
        totals[key] = (totals[key] ?? 0) + value;
      }
    }
    return totals;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The vectors of several views, each in the order of the messages, in one order. Sorting is stable. */
function inOrder(ofViews: readonly FeatureVector[][]): FeatureVector[] {
  const [only = [], ...others] = ofViews;
  return others.length === 0 ? only : ofViews.flat().sort((a, b) => a.throughOffset - b.throughOffset);
}

function startEngine(view: FeatureView, hash: string, sinceOffset: number): WindowEngine {
  try {
    return new WindowEngine(view, hash, sinceOffset);
  } catch (cause) {
    throw cause instanceof ViewError ? invalid(cause) : cause;
  }
}

const invalid = ({ message }: ViewError): PipelineError =>
  new PipelineError("view.invalid", message, {
    hint: "Correct the view, or run a version whose function library has what it asks for.",
  });
