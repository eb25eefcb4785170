import { readStorageBytes } from "./flash.ts";
import type { GatewayStatus, PipelineSnapshot } from "./gateway-status.ts";
import { RateMeter } from "./rate-meter.ts";

/** What is written is written twice: to the write-ahead log, and from there to the file. */
const WRITES_PER_BYTE = 2;

const NONE: GatewayStatus["rates"] = {
  readingsPerS: 0,
  bytesPerS: 0,
  otherRowsPerS: 0,
  deliveredBytesPerS: 0,
  storage: { bytesPerS: 0, from: "estimate" },
};

/** The rates of a gateway's counters, over the last minute. */
export class Meters {
  readonly #readings = new RateMeter();
  readonly #bytes = new RateMeter();
  readonly #other = new RateMeter();
  readonly #delivered = new RateMeter();
  readonly #storage = new RateMeter();
  readonly #readStorageBytes: () => number | undefined;
  #rates = NONE;

  constructor(storageBytes = readStorageBytes) {
    this.#readStorageBytes = storageBytes;
  }

  get rates(): GatewayStatus["rates"] {
    return this.#rates;
  }

  sample({ counters, buffer, sync }: PipelineSnapshot, atUs: number): void {
    const counted = this.#readStorageBytes();
    const estimated = (buffer.writtenBytes + buffer.derivedWrittenBytes) * WRITES_PER_BYTE;
    this.#rates = {
      readingsPerS: this.#readings.sample(counters["readings"] ?? 0, atUs),
      bytesPerS: this.#bytes.sample(buffer.writtenBytes, atUs),
      otherRowsPerS: this.#other.sample(buffer.derived.other.rows, atUs),
      deliveredBytesPerS: this.#delivered.sample(sync.delivered.bytes, atUs),
      storage: {
        bytesPerS: this.#storage.sample(counted ?? estimated, atUs),
        from: counted === undefined ? "estimate" : "system",
      },
    };
  }
}
