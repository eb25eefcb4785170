import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { expect, onTestFinished, test } from "vitest";
import { type RunningCloud, until } from "./programs.ts";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, s3Lake, Site } from "./site.ts";

const READINGS = 20_000;

/** A full second, so far back that no reading lies in the future. */
const startMs = (): number => Math.floor(systemClock.nowUs() / 1_000_000) * 1_000 - READINGS * 10;

async function openSite(lake: string): Promise<Site> {
  if (lake === "folder") return Site.make();
  const store = await startObjectStore();
  onTestFinished(() => store.stop());
  return Site.make({ lake: s3Lake(store) });
}

// Goal: what was acknowledged is in the lake once, however the gateway dies. Method: a publisher with 500 publishes
// on their way; three SIGKILLs at moments that follow from a seed, and one for the cloud that commits meanwhile; the
// tables count what came through, and every feature vector is computed again from the readings beside it.
test.each([
  { lake: "folder", seed: 11 },
  { lake: "s3", seed: 12 },
])(
  "a gateway that is killed three times loses no reading and doubles none, in a lake of kind $lake (seed $seed)",
  async ({ lake, seed }) => {
    const site = await openSite(lake);
    const random = seededRandom(seed);
    let [gateway, cloud] = await Promise.all([site.startGateway(), site.startCloud()]);
    let nextCloud: Promise<RunningCloud> | undefined;
    const publisher = await connectPublisher(gateway);
    const published = publishAll(publisher, numbered(0, READINGS, startMs()));
    for (const part of [0, 1, 2]) {
      // Counted from the newest acknowledgement on, so that the publisher has come back before each kill.
      const killAt = publisher.stats().acknowledged + 1 + random.int(READINGS / 8);
      await until(`${killAt} acknowledgements`, () =>
        publisher.stats().acknowledged >= killAt ? true : undefined,
      );
      await Promise.all([gateway.kill(), part === 1 ? cloud.kill() : undefined]);
      expect(publisher.stats().acknowledged, "it was killed in the middle").toBeLessThan(READINGS);
      // Not awaited here: the publisher would be through before the next kill.
      if (part === 1) nextCloud = site.startCloud();
      gateway = await site.startGateway();
    }
    cloud = (await nextCloud) ?? cloud;
    await published;
    const status = await gateway.drained();
    expect(await cloud.stop()).toMatchObject({ code: 0 });
    expect(publisher.stats()).toMatchObject({ acknowledged: READINGS, reconnects: 3, lost: 0 });
    // The kills hit: something was on its way each time, and what was already stored came again.
    expect(publisher.stats().resent).toBeGreaterThan(0);
    expect(status.buffer.damages).toEqual([]);
    expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(READINGS)]);
    // Offsets go on where they were: the message numbers have no gap either.
    expect(
      await site.ask(
        'select min("offset") as first, max("offset") as last, count(distinct epoch) as epochs from readings',
      ),
    ).toEqual([{ first: 0, last: READINGS - 1, epochs: 1 }]);
    // Windows of a second, a hundred readings each, but the last, which stays open.
    const vectors = READINGS / 100 - 1;
    expect(await site.verifyFeatures()).toEqual([expect.objectContaining({ vectors, equal: vectors })]);
  },
  60_000,
);
