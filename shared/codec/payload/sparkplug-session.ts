import type { Json } from "../../contract/canonical-json.ts";
import type { SparkplugAlias, SparkplugMetric } from "./sparkplug-wire.ts";

/** Most edge nodes whose births are remembered; beyond that the one born longest ago is forgotten. */
const NODES_MAX = 1_000;

/** Most metrics and devices of all births together, which bounds the checkpoint to a few megabytes; likewise. */
const DEFINITIONS_MAX = 50_000;

/** Most edge nodes that were asked for a birth and are remembered for it; beyond that none is asked for a while. */
const ASKED_MAX = 1_000;

/** How long an edge node is not asked again: births of a large node take seconds, and all hosts see them. */
const ASK_INTERVAL_US = 10_000_000;

/** Sequence numbers run from 0 to 255 and start again (Sparkplug 3.0 §6.4.3). */
const SEQ_COUNT = 256;

/** What a birth says of a metric. */
export interface SparkplugDefinition {
  readonly name: string;
  readonly datatype: number;
  readonly unit: string | undefined;
}

type SavedDefinition = readonly [
  name: string,
  datatype: number,
  alias: SparkplugAlias | null,
  unit: string | null,
];

/** The metrics that one birth names, by alias and by name. Does not change. */
export class SparkplugBirth {
  readonly #byAlias = new Map<SparkplugAlias, SparkplugDefinition>();
  readonly #byName = new Map<string, SparkplugDefinition>();
  /** Made once, so that a checkpoint between births costs nothing here. */
  readonly saved: readonly SavedDefinition[];

  constructor(saved: readonly SavedDefinition[]) {
    this.saved = saved;
    for (const [name, datatype, alias, unit] of saved) {
      const definition = { name, datatype, unit: unit ?? undefined };
      this.#byName.set(name, definition);
      if (alias !== null) this.#byAlias.set(alias, definition);
    }
  }

  static of(metrics: readonly SparkplugMetric[], unitProperty: string | undefined): SparkplugBirth {
    return new SparkplugBirth(
      metrics.flatMap(({ name, alias, datatype, properties }) =>
        name === undefined
          ? []
          : [[name, datatype ?? 0, alias ?? null, properties.get(unitProperty ?? "") ?? null] as const],
      ),
    );
  }

  /** By its alias, else by its name; undefined where the birth has neither. */
  find({ alias, name }: SparkplugMetric): SparkplugDefinition | undefined {
    const found = alias === undefined ? undefined : this.#byAlias.get(alias);
    return found ?? (name === undefined ? undefined : this.#byName.get(name));
  }
}

interface Node {
  /** The birth of the edge node itself; undefined where only births of its devices were seen. */
  birth: SparkplugBirth | undefined;
  readonly devices: Map<string, SparkplugBirth>;
  /** The number of the birth, which its death carries too. */
  bdSeq: number | undefined;
  /** The sequence number of its last message. */
  seq: number | undefined;
}

interface Saved {
  readonly nodes: readonly (readonly [
    key: string,
    node: {
      readonly birth: readonly SavedDefinition[] | null;
      readonly devices: readonly (readonly [string, readonly SavedDefinition[]])[];
      readonly bdSeq: number | null;
      readonly seq: number | null;
    },
  ])[];
  readonly asked: readonly (readonly [key: string, askedAtUs: number])[];
}

/** What is remembered of edge nodes: their births, their sequence numbers, and when each was asked for a new birth. */
export class SparkplugSessions {
  /** In the order of their births. */
  #nodes = new Map<string, Node>();
  #asked = new Map<string, number>();
  #definitions = 0;

  /** A new session of an edge node: what was known of its devices is over (Sparkplug 3.0 §6.4.19). */
  nodeBorn(key: string, birth: SparkplugBirth, bdSeq: number | undefined): void {
    this.#forget(key);
    this.#nodes.set(key, { birth, devices: new Map(), bdSeq, seq: undefined });
    this.#definitions += costOf(birth);
    this.#makeRoom(key);
  }

  deviceBorn(key: string, device: string, birth: SparkplugBirth): void {
    const node = this.#nodes.get(key) ?? {
      birth: undefined,
      devices: new Map(),
      bdSeq: undefined,
      seq: undefined,
    };
    this.#nodes.set(key, node);
    this.deviceDied(key, device);
    node.devices.set(device, birth);
    this.#definitions += costOf(birth);
    this.#makeRoom(key);
  }

  /** How many devices died with it; undefined where the death is not of the session that is known. */
  nodeDied(key: string, bdSeq: number | undefined): number | undefined {
    const node = this.#nodes.get(key);
    const isAnother = bdSeq !== undefined && node?.bdSeq !== undefined && bdSeq !== node.bdSeq;
    if (node === undefined || isAnother) return undefined;
    this.#forget(key);
    return node.devices.size;
  }

  /** Whether the device was alive. */
  deviceDied(key: string, device: string): boolean {
    const node = this.#nodes.get(key);
    const birth = node?.devices.get(device);
    if (node === undefined || birth === undefined) return false;
    this.#definitions -= costOf(birth);
    return node.devices.delete(device);
  }

  birthOf(key: string, device: string | undefined): SparkplugBirth | undefined {
    const node = this.#nodes.get(key);
    return device === undefined ? node?.birth : node?.devices.get(device);
  }

  isNodeBorn(key: string): boolean {
    return this.#nodes.get(key)?.birth !== undefined;
  }

  /**
   * Takes note of a message's sequence number; how many are missing before it.
   *
   * One that is half the range or more behind is a message that comes twice or late: then none is missing.
   */
  count(key: string, seq: number | undefined): number {
    const node = this.#nodes.get(key);
    if (node === undefined || seq === undefined) return 0;
    const last = node.seq;
    const missing = last === undefined ? 0 : (seq - last - 1 + 2 * SEQ_COUNT) % SEQ_COUNT;
    if (missing >= SEQ_COUNT / 2) return 0;
    node.seq = seq;
    return missing;
  }

  /** Whether an edge node may be asked for a birth now; takes note that it is. */
  ask(key: string, nowUs: number): boolean {
    const askedAtUs = this.#asked.get(key);
    if (askedAtUs !== undefined && Math.abs(nowUs - askedAtUs) < ASK_INTERVAL_US) return false;
    if (this.#asked.size >= ASKED_MAX)
      for (const [other, atUs] of this.#asked)
        if (Math.abs(nowUs - atUs) >= ASK_INTERVAL_US) this.#asked.delete(other);
    if (this.#asked.size >= ASKED_MAX) return false;
    this.#asked.set(key, nowUs);
    return true;
  }

  save(): Json {
    const saved: Saved = {
      nodes: [...this.#nodes].map(([key, { birth, devices, bdSeq, seq }]) => [
        key,
        {
          birth: birth?.saved ?? null,
          devices: [...devices].map(([device, { saved }]) => [device, saved]),
          bdSeq: bdSeq ?? null,
          seq: seq ?? null,
        },
      ]),
      asked: [...this.#asked],
    };
    return saved as unknown as Json;
  }

  restore(json: Json): void {
    const saved = json as unknown as Saved;
    this.#nodes = new Map();
    this.#definitions = 0;
    for (const [key, { birth, devices, bdSeq, seq }] of saved.nodes) {
      const node = {
        birth: birth === null ? undefined : new SparkplugBirth(birth),
        devices: new Map(devices.map(([device, definitions]) => [device, new SparkplugBirth(definitions)])),
        bdSeq: bdSeq ?? undefined,
        seq: seq ?? undefined,
      };
      this.#nodes.set(key, node);
      this.#definitions += costOfNode(node);
    }
    this.#asked = new Map(saved.asked);
  }

  #forget(key: string): void {
    const node = this.#nodes.get(key);
    if (node === undefined) return;
    this.#definitions -= costOfNode(node);
    this.#nodes.delete(key);
  }

  /** Keeps `key` as long as there is another to forget; a node that is too large by itself is forgotten at last. */
  #makeRoom(key: string): void {
    for (const oldest of this.#nodes.keys()) {
      if (this.#nodes.size <= NODES_MAX && this.#definitions <= DEFINITIONS_MAX) return;
      if (oldest !== key) this.#forget(oldest);
    }
    if (this.#definitions > DEFINITIONS_MAX) this.#forget(key);
  }
}

/** A birth counts as one more than its metrics, so that births without any are bounded too. */
const costOf = (birth: SparkplugBirth): number => birth.saved.length + 1;

function costOfNode({ birth, devices }: Node): number {
  let cost = birth === undefined ? 1 : costOf(birth);
  for (const device of devices.values()) cost += costOf(device);
  return cost;
}
