/** A topic filter as its levels (MQTT 3.1.1 §4.7): `+` stands for one level, `#` at the end for any number. */
export type Levels = readonly string[];

export const levelsOf = (filter: string): Levels => filter.split("/");

/** Whether a text is a topic filter: wildcards stand alone in their level, `#` only in the last. */
export function isTopicFilter(text: string): boolean {
  if (text === "" || text.includes("\0")) return false;
  const levels = levelsOf(text);
  return levels.every(
    (level, i) =>
      level === "+" ||
      (level === "#" && i === levels.length - 1) ||
      !(level.includes("+") || level.includes("#")),
  );
}

/** Whether a pattern matches a topic, in which `+` and `#` have no meaning. */
export function matchesTopic(pattern: Levels, topic: Levels): boolean {
  for (let i = 0; i < pattern.length; i++) {
    const level = pattern[i];
    if (level === "#") return true; // Also the level above: "a/#" matches "a" (§4.7.1.2).
    if (i >= topic.length) return false;
    if (level !== "+" && level !== topic[i]) return false;
  }
  return pattern.length === topic.length;
}

/**
 * Whether a pattern matches every topic that a filter matches.
 *
 * May say no where it would take more than comparing levels to see it ("+/#" and "#"), never yes wrongly.
 */
export function coversFilter(pattern: Levels, filter: Levels): boolean {
  for (let i = 0; i < pattern.length; i++) {
    const level = pattern[i];
    if (level === "#") return true;
    if (i >= filter.length || filter[i] === "#") return false;
    if (level !== "+" && level !== filter[i]) return false;
  }
  return pattern.length === filter.length;
}

/** Whether there is a topic that both match. */
export function overlapsFilter(pattern: Levels, filter: Levels): boolean {
  const shared = Math.min(pattern.length, filter.length);
  for (let i = 0; i < shared; i++) {
    const [one, other] = [pattern[i], filter[i]];
    if (one === "#" || other === "#") return true;
    if (one !== "+" && other !== "+" && one !== other) return false;
  }
  if (pattern.length === filter.length) return true;
  return (pattern.length > shared ? pattern : filter)[shared] === "#";
}
