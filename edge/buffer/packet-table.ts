/** Slots at first; they double, so that what is hardly used takes next to nothing. */
const SLOTS_FIRST = 1_024;

/** Share of the slots that is taken before they double: 100,000 entries then fit into 131,072 slots of 16 bytes. */
const FULL_SHARE = 0.8;

/** MQTT 3.1.1 §2.3.1: a packet identifier has 16 bits. */
const PACKET_IDS = 65_536;

/** What a table holds, as it crosses between threads. */
export interface PacketTableState {
  /** By their number. */
  readonly clients: readonly string[];
  readonly keys: Float64Array;
  readonly hashes: Float64Array;
  readonly count: number;
}

/**
 * Of each client, the hash of the last message with each packet identifier: open addressing over two arrays of numbers,
 * which cost the collector of garbage nothing, however many there are.
 */
export class PacketTable {
  #clients = new Map<string, number>();
  /** The client and its number that were asked for last: messages of one client often follow each other. */
  #client = "";
  #number = -1;
  /** The client's number and the packet identifier, counted from 1; 0 is free. */
  #keys = new Float64Array(SLOTS_FIRST);
  #hashes = new Float64Array(SLOTS_FIRST);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get(client: string, packetId: number): number | undefined {
    const number = this.#numberOf(client);
    if (number === undefined) return undefined;
    const at = this.#find(keyOf(number, packetId));
    return this.#keys[at] === 0 ? undefined : this.#hashes[at];
  }

  set(client: string, packetId: number, hash: number): void {
    const key = keyOf(this.#numberOf(client) ?? this.#add(client), packetId);
    const at = this.#find(key);
    this.#hashes[at] = hash;
    if (this.#keys[at] !== 0) return;
    this.#keys[at] = key;
    this.#count += 1;
    if (this.#count > FULL_SHARE * this.#keys.length) this.#grow();
  }

  /** Forgets everything; the memory is kept for what comes next. */
  clear(): void {
    this.#clients = new Map();
    this.#client = "";
    this.#number = -1;
    this.#keys.fill(0);
    this.#count = 0;
  }

  /** What it holds, not copied: good until the table changes. */
  state(): PacketTableState {
    return {
      clients: [...this.#clients.keys()],
      keys: this.#keys,
      hashes: this.#hashes,
      count: this.#count,
    };
  }

  /** Goes on from a state, which is copied. */
  restore({ clients, keys, hashes, count }: PacketTableState): void {
    this.#client = "";
    this.#number = -1;
    this.#clients = new Map(clients.map((client, number) => [client, number]));
    this.#keys = Float64Array.from(keys);
    this.#hashes = Float64Array.from(hashes);
    this.#count = count;
  }

  #numberOf(client: string): number | undefined {
    if (client === this.#client && this.#number >= 0) return this.#number;
    const number = this.#clients.get(client);
    if (number === undefined) return undefined;
    this.#client = client;
    this.#number = number;
    return number;
  }

  #add(client: string): number {
    const number = this.#clients.size;
    this.#clients.set(client, number);
    return number;
  }

  /** The slot of a key, or the free one where it would be. */
  #find(key: number): number {
    const mask = this.#keys.length - 1;
    let at = scattered(key) & mask;
    for (;;) {
      const found = this.#keys[at];
      if (found === key || found === 0) return at;
      at = (at + 1) & mask;
    }
  }

  #grow(): void {
    const [keys, hashes] = [this.#keys, this.#hashes];
    this.#keys = new Float64Array(keys.length * 2);
    this.#hashes = new Float64Array(keys.length * 2);
    for (let from = 0; from < keys.length; from++) {
      const key = keys[from] ?? 0;
      if (key === 0) continue;
      const to = this.#find(key);
      this.#keys[to] = key;
      this.#hashes[to] = hashes[from] ?? 0;
    }
  }
}

const keyOf = (number: number, packetId: number): number => number * PACKET_IDS + packetId + 1;

/** MurmurHash3's last step over both halves of a key, so that neighbours lie apart. */
function scattered(key: number): number {
  let mixed = (key | 0) ^ Math.imul(Math.floor(key / 4_294_967_296) + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
