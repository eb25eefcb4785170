import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { until } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial, TrialResult } from "../trial.ts";
import { type Place, pointIn, SYNCS, WRITES } from "./kill-points.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";

/** The least that a disk budget may be. */
const BUDGET_BYTES = 16_777_216;
/** Metrics of a message beside its number: so many that the budget is reached soon. */
const METRICS = 200;
const ALWAYS = 1_000_000_000;
const SHED_WITHIN_MS = 15_000;
const KILL_WITHIN_MS = 3_000;

const PLACES: readonly Place[] = [
  { pattern: "*/state.db-wal", operations: [...WRITES, ...SYNCS], among: 40 },
  { pattern: "*/state.db", operations: [...WRITES, ...SYNCS], among: 10 },
  { pattern: "*/segment-*", operations: ["unlink", "unlinked"], among: 6 },
];

/** Values that no compression makes small. */
const noise = (n: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: METRICS }, (_, i) => [`m${i}`, Math.sin(n * 977 + i * 131)]));

/** Waits until readings are given up; not for long, because what was given up before may do for a while. */
async function shedding(trial: Trial): Promise<void> {
  const before = shedSoFar(await trial.site.getStatus());
  const endUs = systemClock.monotonicUs() + SHED_WITHIN_MS * 1_000;
  await until(
    "something is shed",
    async () => systemClock.monotonicUs() > endUs || shedSoFar(await trial.site.getStatus()) > before,
  );
}

const shedSoFar = ({ counters }: { readonly counters: Readonly<Record<string, number>> }): number =>
  Object.entries(counters).reduce((sum, [name, count]) => sum + (name.includes("shed") ? count : 0), 0);

/** The lake is away until the end; what is given up for room meanwhile must be recorded to the last reading. */
async function shedAndKill(trial: Trial): Promise<TrialResult> {
  const store = await startObjectStore();
  store.orderFault({ kind: "refuse", status: 503, code: "SlowDown", count: ALWAYS });
  try {
    await trial.begin({
      store,
      device: { paddingBytesMax: 0, metrics: noise },
      change: {
        buffer: { diskBytesMax: BUDGET_BYTES },
        decode: { routes: [EVERY_NUMBER] },
        features: { views: [] },
      },
    });
    let reached = 0;
    while (trial.kills < trial.wanted) {
      const gateway = trial.start({ kill: { ...pointIn(PLACES, trial), waitsForArming: true } });
      await gateway.firstLine();
      await shedding(trial);
      trial.machine.arm();
      const timer = new AbortController();
      await Promise.race([gateway.ended, systemClock.sleep(KILL_WITHIN_MS, timer.signal)]);
      timer.abort();
      if (gateway.end !== undefined) reached += 1;
      await trial.kill(gateway);
    }
    trial.notePoints(reached);
    store.clearFaults();
    const result = await trial.result(await trial.drain(), { mayLose: true });
    return await countEverything(trial, result);
  } finally {
    await store.stop();
  }
}

const EVERY_NUMBER = {
  topic: "plant/{device}/telemetry",
  deviceType: "pump",
  payload: { format: "json", time: { path: "ts", unit: "ms" } },
};

/** Every reading of every message is in the table, or in the record of what was given up. */
async function countEverything(trial: Trial, result: TrialResult): Promise<TrialResult> {
  const [table] = await trial.site.ask(
    "select count(*)::bigint as copies, count(distinct (device, metric, measured_at))::bigint as found from readings",
  );
  const [record] = await trial.site.ask(
    "select coalesce(sum(count), 0)::bigint as shed from events where kind like 'shed.%'",
  );
  const acknowledged = result.acknowledged * (METRICS + 1);
  const [found, copies, shed] = [table?.["found"], table?.["copies"], record?.["shed"]].map(Number);
  const lost = acknowledged - (found ?? 0) - (shed ?? 0);
  const duplicated = (copies ?? 0) - (found ?? 0);
  if (lost !== 0) trial.failures.push(`${lost} readings are neither in the lake nor recorded as shed`);
  if (duplicated > 0) trial.failures.push(`${duplicated} readings are in the lake twice`);
  if (shed === 0) trial.failures.push("nothing was shed");
  return {
    ...result,
    ...{ acknowledged, found: found ?? 0, reported: shed ?? 0, lost, duplicated },
    failures: trial.failures,
    dir: trial.failures.length > 0 ? trial.site.dir : undefined,
  };
}

export const SHED: readonly Scenario[] = [
  {
    name: "inside shedding",
    what: "The lake is away and the disk budget of 16 MiB is used up; SIGKILL while readings are given up: what is missing must be what is recorded.",
    needs: ["cc"],
    share: 4,
    trialKillsMax: 12,
    run: shedAndKill,
  },
];
