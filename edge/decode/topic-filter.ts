/** What a route can take from a topic. */
export const CAPTURES = ["device", "metric"] as const;
export type Capture = (typeof CAPTURES)[number];

type Level =
  | { readonly kind: "exact"; readonly text: string }
  /** One level of any text: "+" or a capture. */
  | { readonly kind: "any"; readonly capture: Capture | undefined }
  /** "#": this level and all below it, or none. */
  | { readonly kind: "rest" };

/** An MQTT topic filter (MQTT 5 §4.7) in which a "+" can have a name: "plant/{device}/telemetry". */
export interface TopicFilter {
  readonly text: string;
  readonly levels: readonly Level[];
  readonly captures: ReadonlySet<Capture>;
}

export type Captured = Readonly<Partial<Record<Capture, string>>>;

/** Reads a filter; a sentence instead where it is not one. */
export function parseTopicFilter(text: string): TopicFilter | string {
  const levels: Level[] = [];
  const captures = new Set<Capture>();
  const parts = text.split("/");
  for (const [place, part] of parts.entries()) {
    const level = parseLevel(part);
    if (typeof level === "string") return level;
    if (level.kind === "rest" && place !== parts.length - 1) return `"#" can only be the last level`;
    if (level.kind === "any" && level.capture !== undefined) {
      if (captures.has(level.capture)) return `"{${level.capture}}" is there twice`;
      captures.add(level.capture);
    }
    levels.push(level);
  }
  return { text, levels, captures };
}

function parseLevel(part: string): Level | string {
  if (part === "+") return { kind: "any", capture: undefined };
  if (part === "#") return { kind: "rest" };
  const name = /^\{(.*)\}$/.exec(part)?.[1];
  if (name !== undefined) {
    const capture = CAPTURES.find((known) => known === name);
    if (capture !== undefined) return { kind: "any", capture };
    return `"{${name}}" is not known: {device} and {metric} are; write "+" for a level that does not matter`;
  }
  if (/[+#{}]/.test(part))
    return `"${part}" mixes a wildcard with text; a wildcard or capture is a whole level`;
  return { kind: "exact", text: part };
}

/** What a topic gives a filter's captures; undefined where the topic does not match. */
export function matchTopic(filter: TopicFilter, topic: string): Captured | undefined {
  const { levels } = filter;
  const parts = topic.split("/");
  // MQTT 5 §4.7.2: a wildcard at the front does not match topics of the server's own, which begin with "$".
  if (levels[0]?.kind !== "exact" && topic.startsWith("$")) return undefined;
  const captured: Partial<Record<Capture, string>> = {};
  for (const [place, level] of levels.entries()) {
    if (level.kind === "rest") return captured;
    const part = parts[place];
    if (part === undefined || (level.kind === "exact" && level.text !== part)) return undefined;
    if (level.kind === "any" && level.capture !== undefined) captured[level.capture] = part;
  }
  return parts.length === levels.length ? captured : undefined;
}

/** Whether every topic that matches `inner` also matches `outer`. */
export function coversFilter(outer: TopicFilter, inner: TopicFilter): boolean {
  // A leading wildcard leaves out the topics that begin with "$", an exact level does not.
  const [front] = inner.levels;
  if (outer.levels[0]?.kind !== "exact" && front?.kind === "exact" && front.text.startsWith("$"))
    return false;
  for (const [place, level] of outer.levels.entries()) {
    if (level.kind === "rest") return true;
    const other = inner.levels[place];
    if (other === undefined || other.kind === "rest") return false;
    if (level.kind === "exact" && !(other.kind === "exact" && other.text === level.text)) return false;
  }
  return outer.levels.length === inner.levels.length;
}
