import { isObject } from "@sluice/shared/codec/payload/dotted-path.ts";
import { showValue, type ValueSink } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { SpoolRow } from "@sluice/shared/contract/spool.ts";
import type { SpoolPlace } from "@sluice/shared/contract/spool-topic.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** Most jobs that are remembered; of one that is older than so many others, messages would count again. */
const JOBS_MAX = 1_000;

/** How far each job of the spool has come, so that a message that comes twice counts once. */
export class SpoolProgress {
  readonly #next = new Map<string, number>();

  /** Whether this message is new; if so, it and all before it are done with. */
  accepts({ job, number }: SpoolPlace): boolean {
    if (number < (this.#next.get(job) ?? 0)) return false;
    this.#next.delete(job); // So that the newest job stands last.
    this.#next.set(job, number + 1);
    const oldest = this.#next.keys().next().value;
    if (this.#next.size > JOBS_MAX && oldest !== undefined) this.#next.delete(oldest);
    return true;
  }

  save(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#next);
  }

  restore(saved: Readonly<Record<string, number>>): void {
    this.#next.clear();
    for (const [job, next] of Object.entries(saved)) this.#next.set(job, next);
  }
}

/**
 * Gives the rows of an imported file to a sink, each as a record. Returns how many there are.
 *
 * Throws PipelineError "payload.malformed" where the body is not an array of rows.
 */
export function giveRows(body: Uint8Array, firstRow: number, sink: ValueSink): number {
  const rows = parseRows(body);
  for (const [place, row] of rows.entries()) {
    if (!isRow(row)) {
      const what =
        isObject(row) && typeof row["malformed"] === "string"
          ? `has ${row["malformed"]}`
          : `is ${showValue(row)}, not a row of a file`;
      sink.refuse("payload.malformed", `Row ${firstRow + place} ${what}.`);
      continue;
    }
    const [device, measuredAtUs, values] = row;
    if (typeof measuredAtUs === "string")
      sink.refuse(
        "time.invalid",
        `Row ${firstRow + place} has the time ${showValue(measuredAtUs)}, which is none.`,
      );
    else sink.record(measuredAtUs ?? undefined, device);
    for (const [metric, value] of Object.entries(values)) sink.value(metric, value);
  }
  return rows.length;
}

function parseRows(body: Uint8Array): readonly unknown[] {
  try {
    const rows: unknown = JSON.parse(new TextDecoder().decode(body));
    if (Array.isArray(rows)) return rows;
  } catch {
    // As wrong as anything else that is no array.
  }
  throw new PipelineError("payload.malformed", "The spooled message does not hold rows.");
}

function isRow(row: unknown): row is SpoolRow {
  if (!Array.isArray(row) || row.length !== 3) return false;
  const [device, time, values]: unknown[] = row;
  const isTime = time === null || typeof time === "string" || Number.isSafeInteger(time);
  return typeof device === "string" && isTime && isObject(values);
}
