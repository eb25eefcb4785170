import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial } from "../trial.ts";

const HOURS_MAX = 12;
const HOUR_MS = 3_600_000;
const STEPS_PER_LIFE = 3;

const hours = ({ random }: Trial): number => (random.next() * 2 - 1) * HOURS_MAX * HOUR_MS;

/** A wall clock that is set by hours, forwards and back, while the gateway works and while it is dead. */
export const CLOCK_STEPS: readonly Scenario[] = [
  {
    name: "clock steps of hours",
    what: "The gateway's wall clock steps by up to 12 hours, forwards and back, while it works and between SIGKILLs.",
    needs: ["cc"],
    share: 5,
    trialKillsMax: 20,
    run: async (trial) => {
      await trial.begin({ change: { decode: { futureSkewMs: 2 * HOURS_MAX * HOUR_MS } } });
      while (trial.kills < trial.wanted) {
        const gateway = trial.start({ clock: true });
        for (let i = 0; i < STEPS_PER_LIFE; i++) {
          await trial.working(gateway);
          trial.machine.stepClock(hours(trial));
          await systemClock.sleep(20 + trial.random.int(80));
        }
        await trial.kill(gateway);
        if (trial.random.int(2) === 0) trial.machine.stepClock(hours(trial));
      }
      return trial.result(await trial.drain({ clock: true }));
    },
  },
];
