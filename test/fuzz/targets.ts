import { decodeStageTarget } from "./decode-stage-target.ts";
import { decoderTargets } from "./decoder-targets.ts";
import { mqttTargets } from "./mqtt-targets.ts";
import type { FuzzTarget } from "./target.ts";

/** Everything that is fuzzed. What reads bytes from outside belongs here: one target, one line. */
export const fuzzTargets: readonly FuzzTarget[] = [...decoderTargets, decodeStageTarget, ...mqttTargets];
