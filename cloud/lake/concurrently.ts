import { present } from "@sluice/shared/runtime/assert.ts";

/**
 * Runs `work` on every item, at most `limit` at once, and yields each item with its result in the items' order.
 *
 * The first failure ends it; results of work that was under way are ignored.
 */
export async function* concurrently<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<readonly [item: T, result: R]> {
  const running: Promise<R>[] = [];
  for (const [i, item] of items.entries()) {
    while (running.length < Math.min(items.length, i + limit)) {
      const started = work(present(items[running.length], "an item per place"));
      // It is awaited below, unless an earlier one fails first.
      started.catch(() => undefined);
      running.push(started);
    }
    yield [item, await present(running[i], "work was started")];
  }
}
