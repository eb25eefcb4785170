import { encodeChunk, rowCount } from "@sluice/shared/codec/row-chunk.ts";
import type { Alert } from "@sluice/shared/contract/alert.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { OutgoingMessage, RawMessage } from "@sluice/shared/contract/message.ts";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import type { QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import { isNumbered, STREAMS, type Stream } from "@sluice/shared/contract/stream.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { SegmentLog } from "./buffer/segment-log.ts";
import type { KeptWindow } from "./buffer/kept-windows.ts";
import type { AppendedRows } from "./buffer/pending.ts";
import type { StateStore } from "./buffer/state-store.ts";
import type { WatchStatus } from "./decode/contract-watch.ts";
import type { Decoded, Decoder } from "./decode/decoder.ts";
import { FeatureStage } from "./features/feature-stage.ts";
import { NewestVectors } from "./features/newest-vectors.ts";
import { onlineValues } from "./features/online-values.ts";
import type { InferenceStage } from "./inference/inference-stage.ts";
import { appendedVectors, begunMeta, pastReadings } from "./pipeline-backfill.ts";
import { encodeCheckpoint } from "./pipeline-checkpoint.ts";
import { readCheckpoint } from "./pipeline-restore.ts";

/** What a step made that the world should hear of, once the step is on disk. */
export interface Announcement {
  readonly predictions: readonly Prediction[];
  readonly alerts: readonly Alert[];
  /** What devices are asked for. */
  readonly requests: readonly OutgoingMessage[];
}

/** Keeps messages so that they can be decoded again. Returns how many older ones were given up for them. */
export interface QuarantineKeeper {
  keep(
    messages: readonly RawMessage[],
    rows: readonly QuarantineRow[],
    stored: ReadonlyMap<number, string>,
  ): number;
}

export interface PipelineOptions {
  readonly log: SegmentLog;
  readonly state: StateStore;
  readonly decoder: Decoder;
  readonly inference: InferenceStage;
  /** Where messages are kept whole of which something was refused; left out, only the lake hears of them. */
  readonly quarantine?: QuarantineKeeper;
  /** Views from the settings; the loaded model's view is computed besides. */
  readonly views: readonly FeatureView[];
  /** What the view of a model must agree with, where there are any. */
  readonly contracts?: readonly DeviceContract[];
  readonly clock: Clock;
  /** That of the log's stamps since this process began. */
  readonly bootId: string;
  readonly announce: (announcement: Announcement) => void;
  /** Hears of the events of a step once they are on disk. */
  readonly noticed?: (events: readonly NewEvent[]) => void;
}

/** Most messages of one step: about 20 ms of work, so that whatever else its thread does is not held up longer. */
export const STEP_MESSAGES_MAX = 2_000;
const STEP_BYTES_MAX = 4 * 1_048_576;

/** How long feature state may go without a checkpoint: bounds what is computed again after a crash. */
const CHECKPOINT_INTERVAL_US = 10_000_000;

const INFERENCE_STATE = "inference";

/** What a step derived, on its way to the disk. */
interface Derived {
  readonly throughOffset: number;
  readonly appended: readonly AppendedRows[];
  readonly events: readonly NewEvent[];
  /** Windows whose readings a thinning must leave. */
  readonly kept: readonly KeptWindow[];
  readonly counters: Readonly<Record<string, number>>;
  readonly meta?: Readonly<Record<string, string>>;
  readonly announcement: Announcement;
  /** Keeps what was refused, whole; does no harm when done again. Returns how many older messages were given up for it. */
  readonly keepRefused: () => number;
}

/**
 * From raw messages to predictions, in steps: the worker's half of the gateway.
 *
 * The raw log is the truth. A step reads the next messages, decodes them, computes vectors and predictions, and
 * commits everything derived together with the offset it covers in one transaction. Feature state is checkpointed
 * less often; after a crash it is brought up to date from the log with the outputs held back, because they are
 * already committed. So each message counts once, wherever the process dies.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  #features: FeatureStage;
  #newest: NewestVectors;
  #modelView: FeatureView | undefined;
  /** When feature state was last on disk; undefined where it must go with the next step. */
  #checkpointedAtUs: number | undefined;
  /** A step whose commit failed: the stages have it in their state already, so it is committed as it is, not redone. */
  #uncommitted: Derived | undefined;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { state, clock, inference } = options;
    const { checkpoint, lost } = readCheckpoint(state, clock.nowUs());
    this.#features = checkpoint?.features ?? new FeatureStage([], 0);
    this.#newest = checkpoint === undefined ? new NewestVectors() : NewestVectors.restore(checkpoint.newest);
    if (checkpoint !== undefined)
      options.decoder.restore(checkpoint.decoder, (from) => this.#stored(from, checkpoint.throughOffset));
    if (lost.length > 0) {
      state.appendEvents(lost);
      options.noticed?.(lost);
    }
    this.#replay((checkpoint?.throughOffset ?? -1) + 1);
    const isUnderOtherSettings = options.decoder.caughtUp();
    const alerts = state.meta(INFERENCE_STATE);
    if (alerts !== undefined) inference.restore(alerts);
    // From then on every restart knows which messages were decoded under which settings.
    const isDue = checkpoint === undefined || isUnderOtherSettings;
    this.#checkpointedAtUs = isDue ? undefined : clock.monotonicUs();
  }

  get features(): FeatureStage {
    return this.#features;
  }

  /** The newest vectors of some devices. Throws PipelineError "features.no_such_view" or "features.no_such_feature". */
  online(query: OnlineQuery, nowUs: number): OnlineAnswer {
    return onlineValues(query, this.#features.views(), { newest: this.#newest, nowUs });
  }

  /** How the devices keep their contracts at the moment; of the open breakers at most so many by name. */
  contractStatus(shownMax: number): WatchStatus {
    return this.#options.decoder.contractStatus(shownMax);
  }

  /** The first raw message that a restart needs to recognise what comes again. */
  get neededFromOffset(): number {
    return this.#options.decoder.neededFrom;
  }

  /** How it is known that the gateway's own clock is wrong; undefined where it may be right. */
  clockProblem(): string | undefined {
    const { decoder, clock, bootId } = this.#options;
    return decoder.clock.problem(clock.nowUs(), bootId);
  }

  /** Brings feature state from the checkpoint to what was committed; every output of this was committed before. */
  #replay(fromOffset: number): void {
    const { state, decoder } = this.#options;
    for (const messages of this.#stored(fromOffset, state.decodedThrough))
      this.#newest.put(this.#features.process(decoder.decode(messages).readings));
  }

  /** The messages of a range of offsets, some at a time; those that are not there are passed over. */
  *#stored(fromOffset: number, throughOffset: number): Generator<readonly RawMessage[]> {
    for (let next = fromOffset; next <= throughOffset;) {
      // Behind lost messages a read may come to some that are beyond the range.
      const messages = this.#options.log
        .read(next, { messages: STEP_MESSAGES_MAX, bytes: STEP_BYTES_MAX })
        .filter(({ offset }) => offset <= throughOffset);
      const last = messages.at(-1);
      if (last === undefined) return;
      yield messages;
      next = last.offset + 1;
    }
  }

  /**
   * Works off the next messages. Returns whether more are waiting. Durable when it returns.
   *
   * Throws what the buffer throws, "buffer.disk_full" for one; the next call goes on where this one failed.
   */
  step(): boolean {
    const { log, state } = this.#options;
    this.#finish();
    const from = state.decodedThrough + 1;
    if (from >= log.nextOffset) return false;
    const end = state.stepEnd(from);
    const messages = log
      .read(from, { messages: STEP_MESSAGES_MAX, bytes: STEP_BYTES_MAX })
      .filter(({ offset }) => offset <= end);
    this.#uncommitted = this.#derive(messages, {
      from,
      through: messages.at(-1)?.offset ?? Math.min(end, log.nextOffset - 1),
    });
    this.#finish();
    return state.decodedThrough + 1 < log.nextOffset;
  }

  /** Everything that follows from the messages of a range of offsets; those that are not there are counted as lost. */
  #derive(messages: readonly RawMessage[], { from, through }: { from: number; through: number }): Derived {
    const { state, decoder, inference, clock } = this.#options;
    const decoded = decoder.decode(messages);
    const firstSeq = state.nextSeq("features");
    const vectors: StoredVector[] = this.#features
      .process(decoded.readings)
      .map((vector, i) => ({ ...vector, seq: firstSeq + i }));
    this.#newest.put(vectors);
    const { predictions, alerts } = inference.score(vectors, state.nextSeq("predictions"), clock.nowUs());
    const rows: StreamRows = {
      readings: decoded.readings,
      features: vectors,
      predictions,
      labels: decoded.labels,
      quarantine: decoded.quarantine,
      events: [], // Others tell events too: all are numbered where they are committed.
    };
    const fromOffset = messages[0]?.offset ?? from;
    return {
      throughOffset: through,
      appended: STREAMS.flatMap((stream) => appended(stream, rows, fromOffset, through)),
      events: decoded.events,
      kept: predictions.filter(isAnomaly).map(windowOf),
      counters: {
        ...decoded.counters,
        predictions: predictions.length,
        alerts: alerts.length,
        lost: through - from + 1 - messages.length,
      },
      announcement: { predictions, alerts, requests: decoded.requests },
      keepRefused: () => this.#keepRefused(messages, decoded),
    };
  }

  #keepRefused(messages: readonly RawMessage[], { good, quarantine: rows }: Decoded): number {
    const { quarantine } = this.#options;
    if (quarantine === undefined || rows.length === 0) return 0;
    return quarantine.keep(messages, rows, good);
  }

  /** Commits what was derived, if anything is waiting for it, and lets the world hear of it. */
  #finish(): void {
    const derived = this.#uncommitted;
    if (derived === undefined) return;
    const { log, state, inference, clock, announce, noticed } = this.#options;
    const { throughOffset, appended, events, kept, announcement } = derived;
    const counters = { ...derived.counters, quarantineGivenUp: derived.keepRefused() };
    const isDue =
      this.#checkpointedAtUs === undefined ||
      clock.monotonicUs() - this.#checkpointedAtUs >= CHECKPOINT_INTERVAL_US;
    const isAnnounced = announcement.predictions.length + announcement.requests.length > 0;
    state.commitStep({
      throughOffset,
      appended,
      events,
      kept,
      counters,
      meta: { ...derived.meta, [INFERENCE_STATE]: inference.state() },
      // What is announced must not be derived again, perhaps by another model.
      isRepeatable: !isAnnounced,
      ...(isDue ? { checkpoint: this.#checkpointBytes() } : {}),
    });
    this.#uncommitted = undefined;
    if (isDue) this.#checkpointed();
    if (isAnnounced) announce(announcement); // Durable since the commit.
    noticed?.(events);
    log.release(throughOffset); // Nothing of the step is looked at any more.
  }

  /** Writes feature state to disk now: before a stop, and when the set of views has changed. */
  checkpoint(): void {
    const { state } = this.#options;
    this.#finish(); // Feature state is ahead of the disk by what is not committed.
    state.commitStep({
      throughOffset: state.decodedThrough,
      appended: [],
      counters: {},
      checkpoint: this.#checkpointBytes(),
    });
    this.#checkpointed();
  }

  /** What the stages remember, at the offset that the state is committed through. */
  #checkpointBytes(): Uint8Array {
    return encodeCheckpoint({
      decoder: this.#options.decoder.state(),
      features: this.#features.checkpoint(),
      newest: this.#newest.state(),
    });
  }

  #checkpointed(): void {
    const { log, state, decoder, clock } = this.#options;
    this.#checkpointedAtUs = clock.monotonicUs();
    // Raw messages stay until they are both in the checkpoint and in the lake, and the newest until a restart can do
    // without them: by those it recognises what comes again.
    const doneThrough = Math.min(state.decodedThrough, state.deliveredOffset());
    log.prune(log.spare(doneThrough, decoder.neededFrom).throughOffset);
  }

  /**
   * Sets the views to compute, once the model that was installed before is in the slot again: a view that stays goes on
   * with its state, so dropping it for a moment would lose its open windows.
   */
  begin(): void {
    const { views, state } = this.#options;
    this.#finish();
    const before = this.#hashes();
    const wanted = this.#modelView === undefined ? views : [...views, this.#modelView];
    const firstSeq = state.nextSeq("features");
    const made = this.#features
      .setViews(wanted, state.decodedThrough + 1, pastReadings(state))
      .map((vector, i) => ({ ...vector, seq: firstSeq + i }));
    if (this.#hashes() === before) return;
    const hashes = this.#features.views().map(({ hash }) => hash);
    this.#newest.keep(new Set(hashes));
    this.#newest.put(made);
    this.#checkpointedAtUs = undefined; // Should the disk be full now, the next step takes the new views along.
    // Models do not get it: it is over.
    this.#uncommitted = {
      throughOffset: state.decodedThrough,
      appended: appendedVectors(made),
      events: [],
      kept: [],
      counters: { backfilledVectors: made.length },
      meta: begunMeta(state, hashes),
      announcement: { predictions: [], alerts: [], requests: [] },
      keepRefused: () => 0,
    };
    this.#finish();
  }

  /**
   * Puts a verified model into the slot between two steps; undefined empties it. Throws a PipelineError, and keeps the
   * model before it, where it cannot score or its view cannot be computed here.
   */
  swap(bundle: Bundle | undefined): void {
    const { contracts = [] } = this.#options;
    if (bundle !== undefined) FeatureStage.check(bundle.manifest.view, contracts);
    this.#finish(); // What the old model has scored belongs to the old model's state.
    this.#options.inference.swap(bundle);
    this.#modelView = bundle?.manifest.view;
    this.begin();
  }

  #hashes(): string {
    return this.#features
      .views()
      .map((view) => view.hash)
      .join();
  }
}

/** What a candidate in the shadow calls anomalous is not acted on, so it keeps no readings either. */
const isAnomaly = ({ anomalous, slot }: Prediction): boolean => anomalous && slot === "champion";

const windowOf = ({ device, windowStartUs, windowEndUs }: Prediction): KeptWindow => ({
  device,
  fromUs: windowStartUs,
  toUs: windowEndUs,
});

function appended<S extends Stream>(stream: S, rows: StreamRows, fromOffset: number, throughOffset: number) {
  const own = rows[stream];
  const count = rowCount(own);
  if (count === 0) return [];
  const seqs = isNumbered(stream) ? rows[stream] : undefined;
  const from = seqs?.[0]?.seq ?? fromOffset;
  const to = seqs?.at(-1)?.seq ?? throughOffset;
  return [{ stream, from, to, rows: count, chunk: encodeChunk(stream, own) }];
}
