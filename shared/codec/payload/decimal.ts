/** No digit can be matched in two ways, so that a long text that is no number takes no longer than one that is. */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** How devices write a value that is no number: the text is no mistake of format. */
const NOT_FINITE = /^[+-]?(?:nan|inf|infinity)$/i;

/** The number that a text spells in decimal, the blanks around it cut; any other text as it is. */
export function parseDecimal(text: string): number | string {
  const trimmed = text.trim();
  return DECIMAL.test(trimmed) ? Number(trimmed) : trimmed;
}

/** Whether a text says NaN or infinity. */
export const saysNotFinite = (text: string): boolean => NOT_FINITE.test(text);
