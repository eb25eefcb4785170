import type { Statement } from "better-sqlite3";
import type { Bodies } from "./body.ts";
import type { SqliteFile } from "./sqlite-file.ts";

export const KEPT_WINDOW_SCHEMA = `
  CREATE TABLE IF NOT EXISTS kept_window (
    id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
    through_offset INTEGER NOT NULL);
`;

/** Event time [fromUs, toUs) of a device whose readings must not be thinned out. */
export interface KeptWindow {
  readonly device: string;
  readonly fromUs: number;
  readonly toUs: number;
}

/** How much before and after a window belongs to it, in event time. */
export interface Around {
  readonly beforeUs: number;
  readonly afterUs: number;
}

/** Whether nothing is to come any more around a window of a device that ended then. */
export type IsPast = (device: string, toUs: number) => boolean;

const NOTHING_AROUND: Around = { beforeUs: 0, afterUs: 0 };

/** What is remembered at once: about 100 bytes each; windows of a device that touch each other are one. */
const KEPT_WINDOWS_MAX = 10_000;

/** What a device's name is in the file, for its encryption. */
const PLACE = "kept_window";

interface Entry extends KeptWindow {
  readonly id: number;
  /** The message offset at which it was known: its readings are not after it, unless they are late. */
  readonly throughOffset: number;
}

/**
 * The windows that a model called anomalous and whose readings are not in the lake yet.
 *
 * `write` and `forgetDelivered` belong inside of a transaction; when that fails, `reload` brings memory back.
 */
export class KeptWindows {
  readonly #bodies: Bodies;
  readonly #insert: Statement;
  readonly #extend: Statement;
  readonly #remove: Statement;
  readonly #all: Statement;
  readonly #byDevice = new Map<string, Entry[]>();
  #count = 0;

  constructor(file: SqliteFile, bodies: Bodies) {
    this.#bodies = bodies;
    this.#insert = file.prepare(
      "INSERT INTO kept_window (device, from_us, to_us, through_offset) VALUES (?, ?, ?, ?)",
    );
    this.#extend = file.prepare(
      "UPDATE kept_window SET from_us = ?, to_us = ?, through_offset = ? WHERE id = ?",
    );
    this.#remove = file.prepare("DELETE FROM kept_window WHERE id = ?");
    this.#all = file.prepare(
      "SELECT id, device, from_us AS fromUs, to_us AS toUs, through_offset AS throughOffset FROM kept_window ORDER BY id",
    );
    this.reload();
  }

  get count(): number {
    return this.#count;
  }

  /** Whether a reading of `device` at this event time lies in a kept window, or around one. */
  holds(device: string, atUs: number, { beforeUs, afterUs }: Around = NOTHING_AROUND): boolean {
    const entries = this.#byDevice.get(device);
    return entries?.some(({ fromUs, toUs }) => atUs >= fromUs - beforeUs && atUs < toUs + afterUs) ?? false;
  }

  /** Adds windows; returns how many older ones had to be forgotten for them. */
  write(windows: readonly KeptWindow[], throughOffset: number): number {
    for (const window of windows) this.#add(window, throughOffset);
    let forgotten = 0;
    while (this.#count > KEPT_WINDOWS_MAX && this.#forgetOldest()) forgotten++;
    return forgotten;
  }

  /** Forgets those whose readings the lake has up to this offset, if nothing that follows lies around them. */
  forgetDelivered(throughOffset: number, isPast: IsPast = () => true): void {
    const isOver = (entry: Entry): boolean =>
      entry.throughOffset <= throughOffset && isPast(entry.device, entry.toUs);
    for (const [device, entries] of this.#byDevice) {
      const left = entries.filter((entry) => !isOver(entry));
      if (left.length === entries.length) continue;
      const stays = new Set(left);
      for (const entry of entries) if (!stays.has(entry)) this.#remove.run(entry.id);
      this.#count -= entries.length - left.length;
      if (left.length === 0) this.#byDevice.delete(device);
      else this.#byDevice.set(device, left);
    }
  }

  reload(): void {
    this.#byDevice.clear();
    const all = this.#all.all() as Entry[];
    for (const entry of all) {
      const device = this.#bodies.openText(PLACE, entry.device);
      this.#entriesOf(device).push({ ...entry, device });
    }
    this.#count = all.length;
  }

  #add({ device, fromUs, toUs }: KeptWindow, throughOffset: number): void {
    const entries = this.#entriesOf(device);
    const touching = entries.findLastIndex((entry) => fromUs <= entry.toUs && toUs >= entry.fromUs);
    const before = entries[touching];
    if (before === undefined) {
      const name = this.#bodies.sealText(PLACE, device);
      const id = Number(this.#insert.run(name, fromUs, toUs, throughOffset).lastInsertRowid);
      entries.push({ id, device, fromUs, toUs, throughOffset });
      this.#count++;
      return;
    }
    const wider = {
      id: before.id,
      device,
      fromUs: Math.min(fromUs, before.fromUs),
      toUs: Math.max(toUs, before.toUs),
      throughOffset,
    };
    this.#extend.run(wider.fromUs, wider.toUs, throughOffset, before.id);
    entries[touching] = wider;
  }

  #forgetOldest(): boolean {
    let oldest: Entry | undefined;
    for (const entries of this.#byDevice.values()) {
      const first = entries[0];
      if (first !== undefined && (oldest === undefined || first.id < oldest.id)) oldest = first;
    }
    if (oldest === undefined) return false;
    this.#remove.run(oldest.id);
    const entries = this.#entriesOf(oldest.device);
    entries.shift();
    if (entries.length === 0) this.#byDevice.delete(oldest.device);
    this.#count--;
    return true;
  }

  #entriesOf(device: string): Entry[] {
    let entries = this.#byDevice.get(device);
    if (entries === undefined) this.#byDevice.set(device, (entries = []));
    return entries;
  }
}
