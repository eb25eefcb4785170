import { encodeChunk, rowCount } from "@sluice/shared/codec/row-chunk.ts";
import type { Alert } from "@sluice/shared/contract/alert.ts";
import type { Bundle } from "@sluice/shared/contract/bundle.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import { STREAMS, type Stream } from "@sluice/shared/contract/stream.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { SegmentLog } from "./buffer/segment-log.ts";
import type { StateStore } from "./buffer/state-store.ts";
import type { Decoder } from "./decode/decoder.ts";
import { FeatureStage } from "./features/feature-stage.ts";
import type { InferenceStage } from "./inference/inference-stage.ts";

/** What a step made that the world should hear of, once the step is on disk. */
export interface Announcement {
  readonly predictions: readonly Prediction[];
  readonly alerts: readonly Alert[];
}

export interface PipelineOptions {
  readonly log: SegmentLog;
  readonly state: StateStore;
  readonly decoder: Decoder;
  readonly inference: InferenceStage;
  /** Views from the settings; the loaded model's view is computed besides. */
  readonly views: readonly FeatureView[];
  readonly clock: Clock;
  readonly announce: (announcement: Announcement) => void;
}

/** Most messages of one step: about 20 ms of work, so that a waiting group's commit is not held up longer. */
const STEP_MESSAGES_MAX = 2_000;
const STEP_BYTES_MAX = 4 * 1_048_576;

/** How long feature state may go without a checkpoint: bounds what is computed again after a crash. */
const CHECKPOINT_INTERVAL_US = 10_000_000;

const INFERENCE_STATE = "inference";

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
  #modelView: FeatureView | undefined;
  #checkpointedAtUs: number;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { state, clock, inference } = options;
    const checkpoint = state.checkpoint();
    this.#features =
      checkpoint === undefined ? new FeatureStage([], 0) : FeatureStage.restore(checkpoint.bytes);
    this.#replay((checkpoint?.throughOffset ?? -1) + 1);
    const alerts = state.meta(INFERENCE_STATE);
    if (alerts !== undefined) inference.restore(alerts);
    this.#checkpointedAtUs = clock.monotonicUs();
  }

  get features(): FeatureStage {
    return this.#features;
  }

  /** Brings feature state from the checkpoint to what was committed; every output of this was committed before. */
  #replay(fromOffset: number): void {
    const { log, state, decoder } = this.#options;
    for (let next = fromOffset; next <= state.decodedThrough;) {
      const messages = log.read(next, {
        messages: Math.min(STEP_MESSAGES_MAX, state.decodedThrough - next + 1),
        bytes: STEP_BYTES_MAX,
      });
      const last = messages.at(-1);
      if (last === undefined) return;
      this.#features.process(decoder.decode(messages).readings);
      next = last.offset + 1;
    }
  }

  /** Works off the next messages. Returns whether more are waiting. Durable when it returns. */
  step(): boolean {
    const { log, state, decoder, inference, clock, announce } = this.#options;
    const messages = log.read(state.decodedThrough + 1, {
      messages: STEP_MESSAGES_MAX,
      bytes: STEP_BYTES_MAX,
    });
    const last = messages.at(-1);
    if (last === undefined) return false;
    const decoded = decoder.decode(messages);
    const firstSeq = state.nextSeq("features");
    const vectors: StoredVector[] = this.#features
      .process(decoded.readings)
      .map((vector, i) => ({ ...vector, seq: firstSeq + i }));
    const { predictions, alerts } = inference.score(vectors, state.nextSeq("predictions"), clock.nowUs());
    this.#commit(
      last.offset,
      messages[0]?.offset ?? last.offset,
      {
        readings: decoded.readings,
        features: vectors,
        predictions,
        labels: decoded.labels,
        quarantine: decoded.quarantine,
      },
      { ...decoded.counters, predictions: predictions.length, alerts: alerts.length },
    );
    if (predictions.length > 0) announce({ predictions, alerts }); // Durable since the commit.
    return state.decodedThrough + 1 < log.nextOffset;
  }

  #commit(
    throughOffset: number,
    fromOffset: number,
    rows: StreamRows,
    counters: Record<string, number>,
  ): void {
    const { state, inference, clock } = this.#options;
    const due = clock.monotonicUs() - this.#checkpointedAtUs >= CHECKPOINT_INTERVAL_US;
    state.commitStep({
      throughOffset,
      appended: STREAMS.flatMap((stream) => appended(stream, rows, fromOffset, throughOffset)),
      counters,
      meta: { [INFERENCE_STATE]: inference.state() },
      ...(due ? { checkpoint: this.#features.checkpoint() } : {}),
    });
    if (due) this.#checkpointed();
  }

  /** Writes feature state to disk now: before a stop, and when the set of views has changed. */
  checkpoint(): void {
    const { state } = this.#options;
    state.commitStep({
      throughOffset: state.decodedThrough,
      appended: [],
      counters: {},
      checkpoint: this.#features.checkpoint(),
    });
    this.#checkpointed();
  }

  #checkpointed(): void {
    const { log, state, clock } = this.#options;
    this.#checkpointedAtUs = clock.monotonicUs();
    // Raw messages stay until they are both in the checkpoint and in the lake.
    log.prune(Math.min(state.decodedThrough, deliveredOffset(state)));
  }

  /**
   * Sets the views to compute, once the model that was installed before is in the slot again: a view that stays goes on
   * with its state, so dropping it for a moment would lose its open windows.
   */
  begin(): void {
    const { views, state } = this.#options;
    const before = this.#hashes();
    const wanted = this.#modelView === undefined ? views : [...views, this.#modelView];
    this.#features.setViews(wanted, state.decodedThrough + 1);
    if (this.#hashes() !== before) this.checkpoint();
  }

  /** Puts a verified model into the slot between two steps; undefined empties it. */
  swap(bundle: Bundle | undefined): void {
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

function appended<S extends Stream>(stream: S, rows: StreamRows, fromOffset: number, throughOffset: number) {
  const own = rows[stream];
  const count = rowCount(own);
  if (count === 0) return [];
  const seqs =
    stream === "features" ? rows.features : stream === "predictions" ? rows.predictions : undefined;
  const from = seqs?.[0]?.seq ?? fromOffset;
  const to = seqs?.at(-1)?.seq ?? throughOffset;
  return [{ stream, from, to, rows: count, chunk: encodeChunk(stream, own) }];
}

/** The last message offset of which every row is in the lake. */
export function deliveredOffset(state: StateStore): number {
  const waiting = (["readings", "labels", "quarantine"] as const).map((stream) =>
    state.pending(stream).rows === 0 && state.sealedThrough(stream) === state.deliveredThrough(stream)
      ? state.decodedThrough
      : state.deliveredThrough(stream),
  );
  return Math.min(...waiting);
}
