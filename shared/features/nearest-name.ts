/** The fewest letters by which a longer name is taken to be meant. */
const BEGINNING_MIN = 3;

/**
 * The name that is most likely meant: the first one that begins so, else the nearest by letters changed, left out or
 * added, if a third of them at most.
 */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  let nearest = wrong.length < BEGINNING_MIN ? undefined : names.find((name) => name.startsWith(wrong));
  if (nearest !== undefined) return nearest;
  let least = Math.floor(wrong.length / 3) + 1;
  for (const name of names) {
    const distance = distanceOf(wrong, name);
    if (distance < least) [nearest, least] = [name, distance];
  }
  return nearest;
}

/** Levenshtein's distance (1966), one row at a time. */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
