// Goal: of two services over one lake one commits and the other stands by and says so; when the first dies, the second
// goes on within the lease time, and no row is there twice. Method: two processes, a SIGKILL, and what the page says.
import type { CloudStatus } from "@sluice/cloud/status/cloud-status.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { expect, test } from "vitest";
import { run, RunningCloud, until } from "./programs.ts";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, Site } from "./site.ts";

const READINGS = 2_000;
const LEASE_MS = 4_000;

const statusOf = async (cloud: RunningCloud): Promise<CloudStatus> =>
  (await (await fetch(`http://${cloud.status}/status`)).json()) as CloudStatus;

const becomes = (cloud: RunningCloud, state: string): Promise<CloudStatus> =>
  until(`a cloud that is ${state}`, async () => {
    const status = await statusOf(cloud);
    return status.committer.state === state ? status : undefined;
  });

test("a second cloud service stands by, shows who commits, and goes on when the first one dies", async () => {
  const site = await Site.make();
  const variant = (name: string): Promise<string> =>
    site.cloudVariant(`${name}.json`, {
      tables: { cacheDir: name, commitIntervalMs: 200, leaseMs: LEASE_MS },
    });
  const first = await RunningCloud.start(await variant("first"));
  await becomes(first, "committing");
  const secondFile = await variant("second");
  const second = await RunningCloud.start(secondFile);
  const standing = await becomes(second, "standing_by");
  expect(standing).toMatchObject({
    healthy: true,
    committer: { holder: expect.stringMatching(/process \d+/) },
  });
  expect(await (await fetch(`http://${second.status}/`)).text()).toContain("Standing by: ");

  const refused = await run("cloud", "commit", "--config", secondFile);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toMatch(
    /^nothing was committed: .* \(process \d+\) commits what lands, since .* Use --wait/,
  );

  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  await publishAll(publisher, numbered(0, READINGS, Math.floor(systemClock.nowUs() / 1_000) - 30_000));
  await gateway.drained();
  await first.kill();
  const killedAtUs = systemClock.monotonicUs();
  await becomes(second, "committing");
  const tookMs = (systemClock.monotonicUs() - killedAtUs) / 1_000;
  // Three quarters of it are the term; a busy machine may take its time for the rest.
  expect(tookMs).toBeLessThan(2 * LEASE_MS);
  await until("every reading is in the table", async () => {
    const [row] = await site.ask(COUNT_NUMBERED);
    return JSON.stringify(row) === JSON.stringify(countedOnce(READINGS)) ? row : undefined;
  });
  // A service that ends well gives the lease back: whoever comes next need not wait.
  expect(await second.stop()).toMatchObject({ code: 0 });
  expect(await run("cloud", "commit", "--config", secondFile)).toMatchObject({ code: 0 });
}, 90_000);
