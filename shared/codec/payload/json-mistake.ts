/** What may come next: a value, a key, what separates or ends; `first` also allows an empty array or object to end. */
type Expected = "value" | "first value" | "key" | "first key" | "colon" | "separator" | "nothing";

const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const BLANK = /[ \t\n\r]*/y;

/**
 * The place of the first character that JSON (RFC 8259) does not allow; the length of the text where it ends too
 * early, or where it is JSON after all. The engine's own parser is faster but does not always say.
 */
export function jsonMistake(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  for (let at = skip(BLANK, text, 0); at < text.length; at = skip(BLANK, text, at)) {
    const char = text[at];
    const inside = open.at(-1);
    const wantsValue: boolean = expected === "value" || expected === "first value";
    if (wantsValue && (char === "{" || char === "[")) {
      open.push(char);
      expected = char === "{" ? "first key" : "first value";
      at += 1;
    } else if (
      (char === "}" && inside === "{" && (expected === "first key" || expected === "separator")) ||
      (char === "]" && inside === "[" && (expected === "first value" || expected === "separator"))
    ) {
      open.pop();
      expected = open.length === 0 ? "nothing" : "separator";
      at += 1;
    } else if (char === "," && expected === "separator") {
      expected = inside === "{" ? "key" : "value";
      at += 1;
    } else if (char === ":" && expected === "colon") {
      expected = "value";
      at += 1;
    } else if (char === '"' && (wantsValue || expected === "key" || expected === "first key")) {
      const end = stringEnd(text, at);
      if (text[end] !== '"') return end;
      expected = wantsValue ? (open.length === 0 ? "nothing" : "separator") : "colon";
      at = end + 1;
    } else {
      const end = wantsValue ? skip(LITERAL, text, at) : at;
      if (end === at) return at;
      expected = open.length === 0 ? "nothing" : "separator";
      at = end;
    }
  }
  return text.length;
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** The place of the closing quote, or of what a string must not hold, or the end of the text. */
function stringEnd(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"' || char < " ") return at;
    if (char !== "\\") continue;
    const escaped = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(text.slice(at + 1, at + 6))?.[0];
    if (escaped === undefined) return at;
    at += escaped.length;
  }
  return text.length;
}
