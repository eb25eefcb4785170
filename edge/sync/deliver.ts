import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { OutboxBatch } from "./pending-store.ts";

/** The lake holds other bytes than ours under a batch's key. */
export const DIVERGED = "sync.diverged";

/**
 * Puts a batch into the lake, once however often it is called.
 *
 * Where the key is taken, the checksums decide: the same bytes are an earlier try of ours whose answer was lost;
 * others are never overwritten: "sync.diverged". Resolves when the lake has the batch durably.
 */
export async function deliver(store: ObjectStore, batch: OutboxBatch): Promise<void> {
  const { key, body, sha256 } = batch;
  const result = await store.put(key, body, { ifAbsent: true, metadata: { [SHA256_METADATA]: sha256 } });
  if (result === "created") return;
  const found = await checksumOf(store, key);
  if (found === sha256) return;
  if (found === undefined)
    throw new PipelineError("store.conflict", `${key} was there and is gone`, {
      hint: "Another program deletes landing objects; this one is sent again.",
    });
  throw new PipelineError(
    DIVERGED,
    `${key} is in the lake with other bytes: SHA-256 ${found}, ours is ${sha256}`,
    {
      hint: "Two buffers share a gateway's name and epoch (a copied disk?), or the object was changed. Give one of them a new name, and compare the object with the batch in the outbox.",
    },
  );
}

async function checksumOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const head = await store.head(key);
  if (head === undefined) return undefined;
  const stated = head.metadata[SHA256_METADATA];
  if (stated !== undefined) return stated;
  // A copied lake may have lost its metadata.
  const result = await store.get(key);
  return result.state === "found" ? sha256Hex(result.object.body) : undefined;
}

export interface Limits {
  readonly clock: Clock;
  readonly ms: number;
  /** Gives up at once. */
  readonly stop: AbortSignal;
}

/** `work`, given up after `ms`: "store.timeout". What it does later is ignored. */
export async function within<T>(work: Promise<T>, limits: Limits): Promise<T> {
  const { clock, ms, stop } = limits;
  const done = new AbortController();
  const end = AbortSignal.any([done.signal, stop]);
  const timeout = async (): Promise<never> => {
    await clock.sleep(ms, end);
    throw new PipelineError("store.timeout", `no answer from the lake within ${ms} ms`, {
      hint: "Look at the link to the lake, or raise sync.uploadTimeoutMs.",
    });
  };
  try {
    return await Promise.race([work, timeout()]);
  } finally {
    done.abort();
  }
}
