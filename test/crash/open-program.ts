// Opens the buffer in a folder as a gateway does when it starts, and closes it: to be killed on the way.
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { bufferSettingsSchema } from "../../edge/buffer/settings.ts";
import { PipelineBuffer } from "../../edge/pipeline-buffer.ts";

const [dir = ""] = process.argv.slice(2);
const settings = bufferSettingsSchema.parse({ dir });
new PipelineBuffer({ settings, bootId: "killed", clock: systemClock, log: silentLog }).close();
