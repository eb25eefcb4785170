// A gateway's buffer and pipeline in a process of their own, to be killed. Arguments: folder, first, resent.
//
// Publishes the messages <first>, <first> + 1, …, the first <resent> of them as redeliveries, and says the number of
// each one on a line as soon as it is acknowledged.
import { writeSync } from "node:fs";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { GroupCommit } from "../../edge/buffer/group-commit.ts";
import { nthMessage, openParts } from "./pipeline-parts.ts";

const [dir = "", first = "0", resent = "0"] = process.argv.slice(2);
const parts = openParts(dir, silentLog);
let acknowledged: number[] = [];
const group = new GroupCommit({
  commit: (bytes) => {
    parts.messages.append(new Uint8Array(bytes));
    return Promise.resolve();
  },
  limits: { groupBytesMax: 65_536, waitingBytesMax: 1_048_576 },
});

let next = Number(first);
const resentEnd = next + Number(resent);

async function publish(): Promise<void> {
  const inTurn = 1 + ((next * 37) % 150);
  for (let i = 0; i < inTurn; i++) {
    const n = next++;
    group.put(nthMessage(n, n < resentEnd), (error) => {
      if (error !== undefined) throw error;
      acknowledged.push(n);
    });
  }
  await group.drain();
  writeSync(1, acknowledged.map((n) => `${n}\n`).join(""));
  acknowledged = [];
  if (next % 3 !== 0) parts.pipeline.step(); // Sometimes the pipeline lags behind.
}

for (;;) await publish();
