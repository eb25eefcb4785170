import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { Lifecycle, type Part } from "@sluice/shared/runtime/lifecycle.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";

function recorder(): { said: string[]; readonly part: (name: string, own?: Partial<Part>) => Part } {
  const said: string[] = [];
  return {
    said,
    part: (name, own = {}) => ({
      name,
      start: async () => {
        said.push(`start ${name}`);
        await own.start?.();
      },
      stop: async () => {
        said.push(`stop ${name}`);
        await own.stop?.();
      },
    }),
  };
}

const fails = (message: string) => async (): Promise<void> => {
  throw new Error(message);
};
const never = (): Promise<void> => new Promise(() => undefined);

test("parts start in order and stop in the reverse, once", async () => {
  const { said, part } = recorder();
  const lifecycle = new Lifecycle([part("lake"), part("mqtt")], new SimulatedClock(0), silentLog);
  await lifecycle.start();
  expect(await lifecycle.stop(1_000)).toEqual([]);
  expect(await lifecycle.stop(1_000)).toEqual([]);
  expect(said).toEqual(["start lake", "start mqtt", "stop mqtt", "stop lake"]);
});

test("when a part cannot start, it and those before it are stopped, and its error is thrown", async () => {
  const { said, part } = recorder();
  const parts = [part("lake"), part("port", { start: fails("in use") }), part("mqtt")];
  await expect(new Lifecycle(parts, new SimulatedClock(0), silentLog).start()).rejects.toThrow("in use");
  expect(said).toEqual(["start lake", "start port", "stop port", "stop lake"]);
});

test("a part that fails to stop is logged and keeps no other from stopping", async () => {
  const { said, part } = recorder();
  const errors: string[] = [];
  const log = { ...silentLog, error: (_fields: object, message: string) => void errors.push(message) };
  const parts = [part("lake"), part("mqtt", { stop: fails("torn") })];
  const lifecycle = new Lifecycle(parts, new SimulatedClock(0), log);
  await lifecycle.start();
  expect(await lifecycle.stop(1_000)).toEqual([]);
  expect(said.at(-1)).toBe("stop lake");
  expect(errors).toEqual(["stopping failed: torn"]);
});

test("a part that is late is named at the deadline, and the others are stopped all the same", async () => {
  const { said, part } = recorder();
  const clock = new SimulatedClock(0);
  const parts = [part("lake"), part("slow", { stop: never }), part("mqtt")];
  const lifecycle = new Lifecycle(parts, clock, silentLog);
  await lifecycle.start();
  const stopped = lifecycle.stop(1_000);
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(1_000);
  expect(await stopped).toContain("slow");
  expect(said.slice(3)).toEqual(["stop mqtt", "stop slow", "stop lake"]);
});
