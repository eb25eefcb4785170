import { saysNotFinite } from "@sluice/shared/codec/payload/decimal.ts";
import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { metricNameSchema } from "@sluice/shared/contract/ids.ts";
import type { QuarantineReason } from "@sluice/shared/contract/quarantine.ts";

/** Why something is refused: the reason, and one sentence with the field, the value and what is allowed. */
export interface Refusal {
  readonly reason: QuarantineReason;
  readonly detail: string;
}

/** What a value of one metric must be. */
export interface ValueRule {
  readonly metric: string;
  readonly deviceType: string;
  readonly unit: string | undefined;
  /** The smallest and largest value allowed; without a contract, the finite doubles. */
  readonly min: number;
  readonly max: number;
}

/** The rule for a metric of a device type, or why it has none. `contract` is undefined where the type has none. */
export function ruleFor(
  metric: string,
  deviceType: string,
  contract: DeviceContract | undefined,
): ValueRule | Refusal {
  if (!metricNameSchema.safeParse(metric).success)
    return {
      reason: "metric.unknown",
      detail: `The metric name ${showValue(metric)} is not 1 to 128 characters without control characters.`,
    };
  const known = contract !== undefined && Object.hasOwn(contract.metrics, metric);
  if (contract !== undefined && !known && contract.unknownMetrics === "quarantine")
    return {
      reason: "metric.unknown",
      detail: `The metric ${showValue(metric)} is not in the contract of ${deviceType}.`,
    };
  const promised = known ? contract.metrics[metric] : undefined;
  return {
    metric,
    deviceType,
    unit: promised?.unit,
    min: promised?.min ?? -Number.MAX_VALUE,
    max: promised?.max ?? Number.MAX_VALUE,
  };
}

/** Why a value that breaks its rule is refused. */
export function explainValue(value: unknown, rule: ValueRule): Refusal {
  const name = showValue(rule.metric);
  if (typeof value === "number" && Number.isFinite(value)) {
    const allowed = value < rule.min ? `from ${rule.min} up` : `up to ${rule.max}`;
    return {
      reason: "value.out_of_range",
      detail: `The metric ${name} is ${value}; the contract of ${rule.deviceType} allows values ${allowed}.`,
    };
  }
  if (typeof value === "number" || (typeof value === "string" && saysNotFinite(value)))
    return {
      reason: "value.not_finite",
      detail: `The metric ${name} is ${showValue(value)}, not a finite number.`,
    };
  return {
    reason: "value.wrong_type",
    detail: `The metric ${name} is ${kindOf(value)} ${showValue(value)}, not a number.`.replace(
      "null null",
      "null",
    ),
  };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "the array";
  return `the ${typeof value}`;
}
