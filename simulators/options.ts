import { InvalidArgumentError } from "commander";
import type { NumberRule } from "./fields.ts";

/** A parser of a command's numeric option that says what is allowed. */
export function numberOption({ min = -Infinity, max = Infinity, whole = false }: NumberRule) {
  return (text: string): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= min && value <= max && Number.isFinite(value) && (!whole || Number.isInteger(value)))
      return value;
    const kind = whole ? "a whole number" : "a number";
    throw new InvalidArgumentError(`It must be ${kind} from ${min} to ${max}.`);
  };
}
