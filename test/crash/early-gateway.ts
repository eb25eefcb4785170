// A gateway as it must not be: it acknowledges a message when it has taken it, before it is on disk. For the suite's
// control; made of the product's own parts, wired wrongly. Arguments as of `sluice-gateway run`.
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { GroupCommit } from "../../edge/buffer/group-commit.ts";
import { readSettings } from "../../edge/settings.ts";
import { createEmbeddedBroker } from "../../edge/ingest/embedded-broker.ts";
import { PipelineThread } from "../../edge/pipeline-thread.ts";

const settings = readSettings(process.argv[process.argv.indexOf("--config") + 1] ?? "", process.env);
const pipeline = new PipelineThread(
  settings,
  {
    announced: () => undefined,
    damaged: (error) => {
      throw error;
    },
    failed: (error) => {
      throw error;
    },
    refusing: (reason) => {
      throw new Error(reason);
    },
    resumed: () => undefined,
  },
  systemClock,
);
const commit = new GroupCommit({ commit: (group) => pipeline.commit(group), limits: settings.buffer });
const broker = createEmbeddedBroker({
  settings: settings.ingest,
  clock: systemClock,
  log: createLog("early-gateway", "error"),
  sink: {
    put: (message, settled) => {
      commit.put(message, () => undefined);
      settled(undefined); // Too early: the group that holds it is not synced yet.
    },
  },
});
await pipeline.start();
await broker.start();
console.log(JSON.stringify({ event: "ready", mqtt: [broker.address] }));
