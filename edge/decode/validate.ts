import { saysNotFinite } from "@sluice/shared/codec/payload/decimal.ts";
import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import type { DeviceContract } from "@sluice/shared/contract/device-contract.ts";
import { metricNameSchema } from "@sluice/shared/contract/ids.ts";
import type { QuarantineReason } from "@sluice/shared/contract/quarantine.ts";
import { type Conversion, conversion } from "./units.ts";

/** Why something is refused: the reason, and one sentence with the field, the value and what is allowed. */
export interface Refusal {
  readonly reason: QuarantineReason;
  readonly detail: string;
}

/** What a value of one metric, sent in one unit, must be. */
export interface ValueRule {
  readonly metric: string;
  readonly deviceType: string;
  /** The unit in which it is stored, and the one in which it is sent. */
  readonly unit: string | undefined;
  readonly sentUnit: string | undefined;
  /** Undefined where the two are the same. */
  readonly convert: Conversion | undefined;
  readonly type: "float" | "integer" | "boolean";
  /** The smallest and largest value allowed, as stored; without a contract, the finite doubles. */
  readonly min: number;
  readonly max: number;
  /** Whether there is a contract that does not list it. */
  readonly isUnlisted: boolean;
}

/** A metric as it was sent: `unit` where the payload names one. */
export interface SentMetric {
  readonly metric: string;
  readonly unit?: string | undefined;
}

/** Longest unit that is stored. */
const UNIT_LENGTH_MAX = 32;

/** The rule for a metric of a device type, or why it has none. `contract` is undefined where the type has none. */
export function ruleFor(
  { metric, unit }: SentMetric,
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
  const { type = "float" } = promised ?? {};
  const units = unitsFor({ metric, unit: unit ?? promised?.sentUnit }, deviceType, promised?.unit);
  if ("reason" in units) return units;
  return {
    metric,
    deviceType,
    ...units,
    type,
    min: type === "boolean" ? 0 : (promised?.min ?? -Number.MAX_VALUE),
    max: type === "boolean" ? 1 : (promised?.max ?? Number.MAX_VALUE),
    isUnlisted: contract !== undefined && !known,
  };
}

/** In which unit a metric is stored; the contract's, else the one in which it is sent. */
function unitsFor(
  { metric, unit: sent }: SentMetric,
  deviceType: string,
  promised: string | undefined,
): Pick<ValueRule, "unit" | "sentUnit" | "convert"> | Refusal {
  if (sent === undefined || sent === promised)
    return { unit: promised, sentUnit: promised, convert: undefined };
  const name = showValue(metric);
  if (promised === undefined) {
    // oxlint-disable-next-line no-control-regex -- control characters are what this refuses
    if (sent.length <= UNIT_LENGTH_MAX && /^[^\u0000-\u001f\u007f]+$/u.test(sent))
      return { unit: sent, sentUnit: sent, convert: undefined };
    return {
      reason: "unit.incompatible",
      detail: `The metric ${name} is sent in ${showValue(sent)}, not a unit of 1 to ${UNIT_LENGTH_MAX} characters without control characters.`,
    };
  }
  const convert = conversion(sent, promised);
  if (convert !== undefined) return { unit: promised, sentUnit: sent, convert };
  return {
    reason: "unit.incompatible",
    detail: `The metric ${name} is sent in ${showValue(sent)}; the contract of ${deviceType} has it in ${showValue(promised)}, and there is no way from one to the other.`,
  };
}

/** The value as it is stored; undefined where it breaks its rule. */
export function readValue(value: unknown, rule: ValueRule): number | undefined {
  const sent = rule.type === "boolean" && typeof value === "boolean" ? Number(value) : value;
  if (typeof sent !== "number") return undefined;
  const stored = rule.convert === undefined ? sent : rule.convert(sent);
  if (!(stored >= rule.min && stored <= rule.max)) return undefined;
  return rule.type === "float" || Number.isInteger(stored) ? stored : undefined;
}

/** Why a value that breaks its rule is refused. */
export function explainValue(value: unknown, rule: ValueRule): Refusal {
  const name = showValue(rule.metric);
  if (typeof value === "number" && Number.isFinite(value)) {
    const stored = rule.convert?.(value) ?? value;
    const shown =
      rule.convert === undefined ? `${value}` : `${value} ${rule.sentUnit}, ${stored} ${rule.unit}`;
    if (!Number.isFinite(stored))
      return { reason: "value.not_finite", detail: `The metric ${name} is ${shown}, not a finite number.` };
    if (rule.type === "boolean")
      return { reason: "value.wrong_type", detail: `The metric ${name} is ${shown}, not true or false.` };
    if (stored >= rule.min && stored <= rule.max)
      return { reason: "value.wrong_type", detail: `The metric ${name} is ${shown}, not a whole number.` };
    const allowed = stored < rule.min ? `from ${rule.min} up` : `up to ${rule.max}`;
    return {
      reason: "value.out_of_range",
      detail: `The metric ${name} is ${shown}; the contract of ${rule.deviceType} allows values ${allowed}.`,
    };
  }
  if (typeof value === "number" || (typeof value === "string" && saysNotFinite(value)))
    return {
      reason: "value.not_finite",
      detail: `The metric ${name} is ${showValue(value)}, not a finite number.`,
    };
  return {
    reason: "value.wrong_type",
    detail:
      `The metric ${name} is ${kindOf(value)} ${showValue(value)}, not ${rule.type === "boolean" ? "true or false" : "a number"}.`.replace(
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
