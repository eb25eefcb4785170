import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import type { RouteIssue } from "./routes.ts";
import { conversion } from "./units.ts";

/** The metrics that are sent in a unit that cannot be converted into the contract's. */
export function checkUnits(contracts: readonly DeviceContract[]): readonly RouteIssue[] {
  return contracts.flatMap(({ metrics }, place) =>
    Object.entries(metrics).flatMap(([metric, { unit, sentUnit }]) =>
      unit === undefined || sentUnit === undefined || conversion(sentUnit, unit) !== undefined
        ? []
        : [
            {
              path: ["contracts", place, "metrics", metric, "sentUnit"],
              message: `there is no way from "${sentUnit}" to "${unit}"`,
            },
          ],
    ),
  );
}
