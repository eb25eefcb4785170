import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { Scenario } from "../scenario.ts";

const KEEP_ALIVE_S = 1;
/** Longer than the one and a half keep-alives after which either side gives the other up (MQTT 3.1.1 §3.1.2.10). */
const STOPPED_MS_MIN = 1_800;
const STOPPED_MS_MORE = 1_200;

export const STOPPED: readonly Scenario[] = [
  {
    name: "stopped for longer than keep-alive",
    what: "SIGSTOP for 1.8 to 3 s with a keep-alive of 1 s, SIGCONT, and SIGKILL soon after.",
    needs: [],
    share: 3,
    trialKillsMax: 10,
    run: async (trial) => {
      await trial.begin({ device: { keepAliveS: KEEP_ALIVE_S } });
      while (trial.kills < trial.wanted) {
        const gateway = trial.start();
        await trial.working(gateway);
        await trial.sleep(200);
        gateway.signal("SIGSTOP");
        await systemClock.sleep(STOPPED_MS_MIN + trial.random.next() * STOPPED_MS_MORE);
        gateway.signal("SIGCONT");
        if (trial.random.int(2) === 0) await trial.working(gateway);
        await trial.sleep(100);
        await trial.kill(gateway);
      }
      return trial.result(await trial.drain());
    },
  },
];
