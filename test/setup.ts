// Before every test file: properties are checked from one seed, so that a run that has passed passes again.
import * as fc from "fast-check";

/** `SLUICE_TEST_SEED=random npm test` looks elsewhere; a failure prints the seed with which it comes again. */
const wanted = process.env["SLUICE_TEST_SEED"] ?? "2026";

if (wanted !== "random") {
  const seed = Number(wanted);
  if (!Number.isInteger(seed))
    throw new Error(`SLUICE_TEST_SEED is "${wanted}": give a whole number or "random"`);
  fc.configureGlobal({ seed });
}
