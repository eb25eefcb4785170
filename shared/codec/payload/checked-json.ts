import { PipelineError } from "../../runtime/errors.ts";
import { isObject, valueAt } from "./dotted-path.ts";
import { showValue } from "./payload-decoder.ts";
import { decodeText } from "./text.ts";

/** What judges an object: a schema. */
interface Checker<T> {
  safeParse(input: unknown): {
    readonly data?: T | undefined;
    readonly error?:
      | { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] }
      | undefined;
  };
}

/** The object that a payload holds; a sentence that says what is wrong with which field where it is not one. */
export function parseCheckedJson<T>(what: string, schema: Checker<T>, payload: Uint8Array): T | string {
  const input = parseObject(what, payload);
  if (typeof input === "string") return input;
  const { data, error } = schema.safeParse(input);
  if (data !== undefined) return data;
  const problems = (error?.issues ?? []).map(({ path, message }) => {
    const keys = path.map(String);
    if (keys.length === 0) return message;
    const value = valueAt(input, keys);
    return value === undefined
      ? `${keys.join(".")} is missing`
      : `${keys.join(".")} is ${showValue(value)}: ${message}`;
  });
  return `The ${what} is not valid: ${problems.join("; ")}.`;
}

function parseObject(what: string, payload: Uint8Array): object | string {
  try {
    const value: unknown = JSON.parse(decodeText(payload));
    return isObject(value) ? value : `The ${what} is not a JSON object.`;
  } catch (error) {
    if (error instanceof PipelineError) return error.message;
    if (error instanceof SyntaxError) return `The ${what} is not JSON.`;
    throw error;
  }
}
