import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { compact, type CompactChoice, type CompactReport, type Workshop } from "./compact.ts";
import { type RetainChoice, type RetainReport, retain } from "./retention.ts";
import type { LakeSettings } from "./settings.ts";
import { vacuum, type VacuumChoice, type VacuumReport } from "./vacuum.ts";

/** Which tables, all by default, and what else there is to choose. */
type Chosen<C extends { readonly streams: readonly Stream[] }> = Omit<C, "streams"> & {
  readonly streams?: readonly Stream[] | undefined;
  /** Throws where this process may not commit or delete any more. */
  readonly requireHeld?: (() => void) | undefined;
};

/** What keeps the tables small and quick: each part can be run at any time, by any process, and again. */
export class Upkeep {
  readonly #workshop: Workshop;
  readonly #settings: LakeSettings;

  constructor(workshop: Workshop, settings: LakeSettings) {
    this.#workshop = workshop;
    this.#settings = settings;
  }

  /** Merges small files into few, sorted ones. */
  compact({ streams = STREAMS, requireHeld, ...choice }: Chosen<CompactChoice> = {}): Promise<CompactReport> {
    const { compactTargetBytes, compactFilesMin, compactAfterMs, cacheBytesMax } = this.#settings;
    const limits = {
      targetBytes: compactTargetBytes,
      filesMin: compactFilesMin,
      afterMs: compactAfterMs,
      // Questions need the cache at the same time.
      inputBytesMax: Math.floor(cacheBytesMax / 2),
    };
    return compact({ ...this.#workshop, requireHeld }, limits, { ...choice, streams });
  }

  /** Thins and drops days by their age, as the settings want it. */
  retain({ streams = STREAMS, requireHeld, ...choice }: Chosen<RetainChoice> = {}): Promise<RetainReport> {
    return retain({ ...this.#workshop, requireHeld }, this.#settings.retention, { ...choice, streams });
  }

  /** Deletes data files that no version within the retention needs. */
  vacuum({ streams = STREAMS, requireHeld, ...choice }: Chosen<VacuumChoice> = {}): Promise<VacuumReport> {
    const { tombstoneRetentionMs, orphanGraceMs } = this.#settings;
    return vacuum(
      { ...this.#workshop, requireHeld },
      { tombstoneRetentionMs, orphanGraceMs },
      { ...choice, streams },
    );
  }
}
