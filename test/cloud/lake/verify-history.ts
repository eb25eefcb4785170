import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { landingKey, SHA256_METADATA, tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { schemaString } from "@sluice/cloud/lake/delta-schema.ts";
import { DAY_US, EPOCH } from "./rows.ts";

const TABLE = tablePrefix("readings");
export const logKey = (version: number): string =>
  `${TABLE}_delta_log/${String(version).padStart(20, "0")}.json`;

/** A range that is landed, and how many rows its object has. */
export interface Landing {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

interface File {
  readonly path: string;
  readonly rows: number;
  readonly from: number;
  readonly to: number;
}

/**
 * A lake's table of readings, written without any code of ours but the names of keys: what lies in it is known, so that
 * it can be asked what somebody else finds out about it.
 */
export class History {
  readonly store = new MemoryStore();
  readonly gateway = "gw-1";
  files: File[] = [];
  version = -1;
  /** The next offset that is to land. */
  next = 0;
  /** Rows of the table. */
  rows = 0;
  events: (readonly unknown[])[] = [];
  #names = 0;

  /** The next range, of so many messages. */
  range(messages: number, rows: number): Landing {
    const from = this.next;
    this.next += messages;
    return { from, to: this.next - 1, rows };
  }

  key = ({ from, to }: Landing): string =>
    landingKey({ stream: "readings", gateway: this.gateway, epoch: EPOCH, from, to });

  /** A commit of objects and of ranges that were passed over; `rows`: what its file has instead. */
  async commit(landed: readonly Landing[], lost: readonly Landing[] = [], rows?: number): Promise<void> {
    const all = [...landed, ...lost];
    const sum = landed.reduce((total, range) => total + range.rows, 0);
    const file = landed.length === 0 ? undefined : await this.#file(all, rows ?? sum);
    await this.#write([
      {
        commitInfo: {
          timestamp: this.version * 1_000,
          operation: "WRITE",
          engineInfo: "sluice",
          txnId: `t${this.version}`,
          sluice: {
            landed: landed.map((range) => ({
              key: this.key(range),
              sha256: sha256Hex(this.key(range)),
              rows: range.rows,
            })),
            lost: lost.map((range) => ({
              key: this.key(range),
              reason: "landing.damaged: torn",
              setAside: "quarantine/x",
            })),
          },
        },
      },
      ...(this.version < 0
        ? [
            { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
            { metaData: { id: "t", schemaString: schemaString("readings"), partitionColumns: ["date"] } },
          ]
        : []),
      { txn: { appId: `${this.gateway}/${EPOCH}/readings`, version: Math.max(...all.map(({ to }) => to)) } },
      ...(file === undefined ? [] : [{ add: this.#add(file, true) }]),
    ]);
    if (file !== undefined) this.files.push(file);
    this.rows += rows ?? sum;
  }

  /** Puts one file in the place of some; `gone` rows are left out, for a reason or in silence. */
  async rewrite(
    count: number,
    gone: { readonly rows: number; readonly how: "reason" | "silent" | "same" },
  ): Promise<void> {
    const old = this.files.slice(0, count);
    const file = await this.#file(old, old.reduce((sum, { rows }) => sum + rows, 0) - gone.rows);
    const dataChange = gone.how !== "same";
    await this.#write([
      {
        commitInfo: {
          timestamp: this.version * 1_000,
          operation: dataChange ? "DELETE" : "OPTIMIZE",
          engineInfo: gone.how === "silent" ? "another" : "sluice",
          ...(gone.how === "reason"
            ? { operationParameters: { reason: "readings older than 90 days" } }
            : {}),
        },
      },
      ...old.map(({ path }) => ({ remove: { path, dataChange, deletionTimestamp: 1 } })),
      { add: this.#add(file, dataChange) },
    ]);
    this.files = [...this.files.slice(count), file];
    this.rows -= gone.rows;
  }

  /** Puts an object below landing/, as a gateway does. */
  async land(range: Landing, sha256 = sha256Hex(this.key(range))): Promise<void> {
    await this.store.put(this.key(range), new Uint8Array(1), { metadata: { [SHA256_METADATA]: sha256 } });
  }

  /** What the gateway says of itself. */
  async report(through: number, sealed = through, waitingRows = 0): Promise<void> {
    const delivery = {
      storedThrough: sealed,
      decodedThrough: sealed,
      streams: { readings: { deliveredThrough: through, sealedThrough: sealed, waitingRows } },
    };
    const report = {
      formatVersion: 1,
      gateway: this.gateway,
      epoch: EPOCH,
      softwareVersion: "1",
      reportedAtUs: DAY_US,
      desiredRevision: 0,
      viewHashes: [],
      counters: {},
      delivery,
    };
    await this.store.put(
      `fleet/${this.gateway}/reported.json`,
      new TextEncoder().encode(JSON.stringify(report)),
    );
  }

  /** The gateway says that it gave up rows of a range, and how many are left. */
  shed({ from, to }: Landing, kept: number): void {
    const facts = {
      reason: "disk_budget",
      stream: "readings",
      from,
      through: to,
      kept,
      devices: "pump-1",
      deviceCount: 1,
    };
    this.events.push([
      this.gateway,
      EPOCH,
      isoTime(DAY_US),
      "shed.thinned",
      5,
      "5 of 9 readings were given up",
      null,
      from,
      to,
      JSON.stringify(facts),
    ]);
  }

  async #file(of: readonly { readonly from: number; readonly to: number }[], rows: number): Promise<File> {
    const file = {
      path: `date=2026-11-21/part-${this.#names++}.parquet`,
      rows,
      from: Math.min(...of.map(({ from }) => from)),
      to: Math.max(...of.map(({ to }) => to)),
    };
    await this.store.put(`${TABLE}${file.path}`, new Uint8Array(100));
    return file;
  }

  #add({ path, rows, from, to }: File, dataChange: boolean): object {
    return {
      path,
      partitionValues: { date: "2026-11-21" },
      size: 100,
      modificationTime: 0,
      dataChange,
      stats: JSON.stringify({
        numRecords: rows,
        minValues: { offset: from, measured_at: isoTime(DAY_US + from * 1_000_000) },
        maxValues: { offset: to, measured_at: isoTime(DAY_US + to * 1_000_000) },
        nullCount: {},
      }),
    };
  }

  async #write(actions: readonly object[]): Promise<void> {
    this.version++;
    const text = actions.map((action) => `${JSON.stringify(action)}\n`).join("");
    await this.store.put(logKey(this.version), new TextEncoder().encode(text));
  }
}
