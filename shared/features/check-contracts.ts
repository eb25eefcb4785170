import type { DeviceContract } from "../contract/device-contract.ts";
import type { FeatureView } from "../contract/feature-view.ts";
import { nearestName } from "./nearest-name.ts";
import { parseUnit, sameUnit } from "./unit.ts";
import type { ViewIssue } from "./view-error.ts";

/**
 * Where a view and the contract of its device type cannot both be right: an input whose metric the contract sets aside,
 * or stores in another unit. Where there is no contract, or it lets any metric in, a metric may be any.
 */
export function checkContracts(
  { inputs, match }: FeatureView,
  contracts: readonly DeviceContract[],
): readonly ViewIssue[] {
  const contract = contracts.find(({ deviceType }) => deviceType === match.deviceType);
  if (contract === undefined) return [];
  const { metrics, unknownMetrics } = contract;
  return Object.entries(inputs).flatMap(([input, { metric, unit }]): ViewIssue[] => {
    const listed = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
    if (listed === undefined) {
      if (unknownMetrics === "accept") return [];
      const meant = nearestName(metric, Object.keys(metrics));
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      const message = `"${metric}" is no metric of the contract of ${match.deviceType}, which sets others aside${hint}`;
      return [{ path: ["inputs", input, "metric"], message }];
    }
    if (unit === undefined || listed.unit === undefined) return [];
    if (sameUnit(parseUnit(unit), parseUnit(listed.unit))) return [];
    const message = `is "${unit}", but the contract of ${match.deviceType} stores ${metric} in "${listed.unit}"`;
    return [{ path: ["inputs", input, "unit"], message }];
  });
}
