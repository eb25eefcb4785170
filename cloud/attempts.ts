import { type Attempt, attemptSchema } from "@sluice/shared/contract/attempt.ts";
import { attemptKey, attemptPrefix } from "@sluice/shared/contract/lake-key.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** Every run of the learning loop for a model, oldest first. Throws "attempt.damaged" naming the object. */
export async function readAttempts(store: ObjectStore, model: string): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  for await (const { key } of store.list(attemptPrefix(model))) {
    const result = await store.get(key);
    if (result.state !== "found") continue;
    attempts.push(parse(key, new TextDecoder().decode(result.object.body)));
  }
  return attempts;
}

function parse(key: string, text: string): Attempt {
  try {
    return attemptSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PipelineError("attempt.damaged", `${key} is not a record of the learning loop`, {
      cause,
      hint: "Move the object away; the loop then goes on without its memory of that run.",
    });
  }
}

/** Records a run. Throws "attempt.taken" where another cloud service has recorded the same number. */
export async function putAttempt(store: ObjectStore, attempt: Attempt): Promise<void> {
  const key = attemptKey(attempt.model, attempt.attempt);
  const body = new TextEncoder().encode(JSON.stringify(attempt));
  if ((await store.put(key, body, { ifAbsent: true })) === "exists")
    throw new PipelineError("attempt.taken", `${key} was recorded by another cloud service`, {
      hint: "Let one cloud service train a model.",
    });
}
