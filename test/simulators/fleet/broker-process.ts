import { openSync, writeSync } from "node:fs";
import { startBroker } from "./broker.ts";

// A broker in a process of its own, to be killed: writes each payload as a line to a file before it acknowledges it
// (what has been written to a file outlives its process), and tells its parent its port.
const [port, file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: broker-process PORT FILE");
const seen = openSync(file, "a");
const broker = await startBroker({
  port: Number(port),
  beforeAck: async ({ payload }) => void writeSync(seen, `${payload.toString()}\n`),
});
process.send?.(broker.port);
