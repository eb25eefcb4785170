import { setTimeout as delay } from "node:timers/promises";
import { runLoad } from "./ingest.ts";
import { atMost, type BenchLine, count, median } from "./line.ts";
import { root, runJson } from "./process.ts";
import { type BenchGateway, decodedAll, startGateway, statusOf } from "./servers.ts";
import { join } from "node:path";

/** How long each run lasts; ten minutes are what the design asks for. */
const MINUTES = Number(process.env["BENCH_MINUTES"] ?? 10);
const SAMPLE_MS = 2_000;
const CONNECTS_PER_SECOND = 1_000;
/** Most that are under way at once: a load that cannot keep up has fewer connects, it does not pile them up. */
const COMING_MAX = 500;

/** Shows that a gateway's memory does not grow, at half of what it takes and with clients that come and go. */
export async function benchMemory(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const gateway = await startGateway();
  try {
    const full = { connections: 4, window: 1_000, seconds: 5 };
    await runLoad(gateway.port, full);
    const most = (await runLoad(gateway.port, full))["perSecond"] ?? NaN;
    await decodedAll(gateway);
    const rate = Math.round(most / 2);
    say(`${count(rate)} messages a second for ${MINUTES} minutes`);
    const steady = await growth(gateway, () =>
      runLoad(gateway.port, { connections: 100, window: 1_000, rate, seconds: MINUTES * 60 }),
    );
    say(`${count(CONNECTS_PER_SECOND)} connects and disconnects a second for ${MINUTES} minutes`);
    let perSecond = 0;
    const coming = await growth(gateway, async () => {
      const load = await runJson([
        join(root, "test/bench/publish-load.ts"),
        ...["--port", String(gateway.port), "--connections", String(COMING_MAX), "--window", "1"],
        ...["--churn", String(CONNECTS_PER_SECOND), "--seconds", String(MINUTES * 60)],
      ]);
      perSecond = (load["connects"] ?? NaN) / (load["elapsedS"] ?? NaN);
    });
    return [
      grown(`memory over ${MINUTES} minutes at ${count(rate)} messages/s`, steady),
      grown(
        `memory over ${MINUTES} minutes with ${count(perSecond)} connects and disconnects a second`,
        coming,
      ),
    ];
  } finally {
    await gateway.stop();
  }
}

interface Growth {
  readonly earlyMib: number;
  readonly lateMib: number;
}

/** Resident memory in the second and in the last fifth of a run: the first fifth warms up. */
async function growth(gateway: BenchGateway, run: () => Promise<unknown>): Promise<Growth> {
  const samples: number[] = [];
  const over = new AbortController();
  const sampling = (async () => {
    while (!over.signal.aborted) {
      samples.push((await statusOf(gateway)).memoryBytes / 1_048_576);
      await delay(SAMPLE_MS);
    }
  })();
  await run().finally(() => over.abort());
  await sampling;
  const fifth = Math.floor(samples.length / 5);
  return {
    earlyMib: median(samples.slice(fifth, 2 * fifth)),
    lateMib: median(samples.slice(samples.length - fifth)),
  };
}

const grown = (what: string, { earlyMib, lateMib }: Growth): BenchLine => ({
  ...atMost(what, lateMib / earlyMib, { unit: "times", mark: 1.1 }),
  measured: `${lateMib.toFixed(0)} MiB in the last fifth`,
  reference: `${earlyMib.toFixed(0)} MiB in the second fifth`,
});
