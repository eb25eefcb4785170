import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import type { StatusSettings } from "./settings.ts";

const TIMEOUT_MS = 5_000;

/** Asks a running gateway for its status. Throws PipelineError "status.unreachable" where none answers. */
export async function fetchStatus({ host, port }: StatusSettings): Promise<GatewayStatus> {
  const url = `http://${host}:${port}/status`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- decoder of our own server's answer
    return (await response.json()) as GatewayStatus;
  } catch (cause) {
    throw new PipelineError("status.unreachable", `no gateway answers at ${url}`, {
      cause,
      hint: "Is it running, with this settings file?",
    });
  }
}
