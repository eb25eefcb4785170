import { type RunningObjectStore, startObjectStore } from "@sluice/simulators/object-store/start.ts";
import type { Scenario } from "../scenario.ts";
import { until } from "../programs.ts";
import type { Trial, TrialResult } from "../trial.ts";
import { liveAndDie } from "./random-kills.ts";

const LANDING = /^landing\//;
const FAULTS_PER_LIFE = 12;
const SLOW_MS_MAX = 400;
/** Every request of a life. */
const ALL = 1_000_000;

async function withStore(
  trial: Trial,
  live: (store: RunningObjectStore) => Promise<void>,
): Promise<TrialResult> {
  const store = await startObjectStore();
  try {
    await trial.begin({ store });
    while (trial.kills < trial.wanted) {
      await live(store);
      store.clearFaults();
    }
    return await trial.result(await trial.drain());
  } finally {
    await store.stop();
  }
}

/** Kills when a batch is in the lake and the gateway was not told, or while its upload is still on its way. */
async function dieWhileUploading(trial: Trial, store: RunningObjectStore): Promise<void> {
  const before = store.stats().faults;
  const isCut = trial.random.int(2) === 0;
  store.orderFault({
    ...(isCut ? { kind: "lost-reply" } : { kind: "slow", ms: trial.random.int(SLOW_MS_MAX) }),
    method: "PUT",
    key: LANDING,
    count: ALL,
  });
  const gateway = trial.start();
  await until("a batch is uploaded", () => store.stats().faults > before || gateway.end !== undefined, {
    evidence: () => gateway.printed.stderr,
  });
  await trial.sleep(100);
  await trial.kill(gateway);
}

function breakLink({ random }: Trial, store: RunningObjectStore): void {
  for (let i = 0; i < FAULTS_PER_LIFE; i++) {
    const key = random.int(2) === 0 ? { key: LANDING } : {};
    const count = 1 + random.int(3);
    const kind = random.int(5);
    if (kind === 0) store.orderFault({ kind: "cut", count, ...key });
    else if (kind === 1) store.orderFault({ kind: "lost-reply", count, ...key });
    else if (kind === 2) store.orderFault({ kind: "torn-read", count, ...key });
    else if (kind === 3) store.orderFault({ kind: "slow", ms: random.int(SLOW_MS_MAX), count, ...key });
    else store.orderFault({ kind: "refuse", status: 503, code: "SlowDown", count, ...key });
  }
}

export const LAKE_LINK: readonly Scenario[] = [
  {
    name: "inside an upload",
    what: "SIGKILL when an object store has a batch and its answer was cut, or while the upload is under way.",
    needs: [],
    share: 5,
    trialKillsMax: 20,
    run: (trial) => withStore(trial, (store) => dieWhileUploading(trial, store)),
  },
  {
    name: "link to the lake cut",
    what: "SIGKILL at random instants while requests to the object store are cut, torn, refused or left without answer.",
    needs: [],
    share: 5,
    trialKillsMax: 20,
    run: (trial) =>
      withStore(trial, async (store) => {
        breakLink(trial, store);
        await liveAndDie(trial);
      }),
  },
  {
    name: "slow link to the lake",
    what: "SIGKILL at random instants while every request to the object store takes up to 0.4 s.",
    needs: [],
    share: 3,
    trialKillsMax: 20,
    run: (trial) =>
      withStore(trial, async (store) => {
        store.orderFault({ kind: "slow", ms: 50 + trial.random.int(SLOW_MS_MAX - 50), count: ALL });
        await liveAndDie(trial);
      }),
  },
];
