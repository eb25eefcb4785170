import { type DesiredState, desiredStateSchema } from "@sluice/shared/contract/fleet.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { describeIssues } from "@sluice/shared/runtime/settings-issues.ts";

/** Largest desired.json that is read: it names one model, so a kilobyte is already much. */
export const DESIRED_BYTES_MAX = 65_536;

const FORMAT_VERSION = 1;
const ISSUES_SHOWN_MAX = 5;
const HINT = "Roll the model out again with sluice-cloud rollout.";

/**
 * Reads what the cloud wants of this gateway.
 *
 * Throws PipelineError "desired.invalid", "desired.newer" or "desired.other_gateway".
 */
export function parseDesired(bytes: Uint8Array, gateway: string): DesiredState {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new PipelineError("desired.invalid", `desired.json is not JSON (${bytes.length} bytes)`, {
      hint: HINT,
    });
  }
  const format =
    typeof value === "object" && value !== null ? Reflect.get(value, "formatVersion") : undefined;
  if (typeof format === "number" && format > FORMAT_VERSION)
    throw new PipelineError(
      "desired.newer",
      `desired.json has formatVersion ${format}, this program reads 1`,
      {
        hint: "Update the gateway's software.",
      },
    );
  const parsed = desiredStateSchema.safeParse(value);
  if (!parsed.success) {
    const issues = describeIssues(parsed.error.issues, value).slice(0, ISSUES_SHOWN_MAX);
    throw new PipelineError("desired.invalid", `desired.json: ${issues.join("; ")}`, { hint: HINT });
  }
  if (parsed.data.gateway !== gateway)
    throw new PipelineError("desired.other_gateway", `desired.json is for ${parsed.data.gateway}`, {
      hint: HINT,
    });
  return parsed.data;
}
