import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test, vi } from "vitest";
import { BudgetSite } from "./budget-site.ts";
import { codeOf, tempFolder } from "./fixtures.ts";

const STEPS_MAX = 110;

const sqliteFailure = (code: string): Error => Object.assign(new Error(code), { code });

/*
 * Goal: what cannot be read is passed over and said, and nothing else is.
 * Method: the first batch that is to be thinned out is on pages that are damaged, the second is behind a controller that
 * does not answer for once.
 */
test("a damaged batch is passed over and said once, and a disk that fails for a moment costs no batch its thinning", async () => {
  const said: string[] = [];
  const log = { ...silentLog, error: (_: object, text: string) => void said.push(text) };
  const site = new BudgetSite(tempFolder(), { diskBytesMax: 4 * 1_048_576, log });
  const read = vi.spyOn(site.state, "readUntried");
  const asked = (): readonly number[] => read.mock.calls.map(([id]) => id);
  const failing = (code: string): void =>
    void read.mockImplementationOnce(() => {
      throw sqliteFailure(code);
    });
  failing("SQLITE_CORRUPT_VTAB");
  failing("SQLITE_IOERR_WRITE");
  let thrown = "nothing was thrown";
  for (let i = 0; i < STEPS_MAX && asked().length < 4; i++) {
    site.step(1_000);
    await site.clock.advance(2_000);
    site.seal("readings");
    const code = codeOf(() => site.keep());
    if (code !== "nothing was thrown") thrown = code;
  }
  const [damaged, passing] = asked();
  expect(thrown).not.toBe("nothing was thrown");
  expect(said).toEqual([expect.stringContaining(`cannot read batch ${damaged}`)]);
  site.keep();
  const steps = new Map(site.state.untriedBatches("readings").map(({ id, step }) => [id, step]));
  expect(steps.get(damaged ?? -1)).toBe(1);
  expect(steps.get(passing ?? -1)).toBeGreaterThan(1);
  site.close();
}, 60_000);
