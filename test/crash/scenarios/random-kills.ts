import type { Orders } from "../machine.ts";
import type { Program } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial } from "../trial.ts";

/** How often a kill comes while the gateway is still starting. */
const DURING_START = 0.15;
const START_MS_MAX = 900;
const WORK_MS_MAX = 250;

/** Lets the gateway live until an instant of the seed's choice, often while it works, sometimes while it starts. */
export async function liveAndDie(trial: Trial, orders: Orders = {}, script?: string): Promise<Program> {
  const gateway = trial.start(orders, script);
  if (trial.random.next() < DURING_START) await trial.sleep(START_MS_MAX);
  else {
    await trial.working(gateway);
    await trial.sleep(WORK_MS_MAX);
  }
  await trial.kill(gateway);
  return gateway;
}

function randomKills(qos: 1 | 2): Scenario {
  return {
    name: `embedded broker, QoS ${qos}`,
    what: `SIGKILL at random instants, also while it starts, while three devices publish at QoS ${qos}.`,
    needs: [],
    share: 16,
    trialKillsMax: 25,
    run: async (trial) => {
      await trial.begin({ qos });
      while (trial.kills < trial.wanted) await liveAndDie(trial);
      return trial.result(await trial.drain());
    },
  };
}

export const RANDOM_KILLS: readonly Scenario[] = [randomKills(1), randomKills(2)];
