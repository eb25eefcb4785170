// The reference for an existing broker: mqtt.js as its documentation shows it, acknowledging in `handleMessage` after a
// group commit every 5 ms. mqtt.js hands over one message at a time, so each group holds one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { connect } from "mqtt";

const GROUP_MS = 5;

const [port, seconds] = process.argv.slice(2).map(Number);
const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const file = new Database(join(dir, "messages.db"));
file.pragma("journal_mode = WAL");
file.pragma("synchronous = FULL");
file.exec("CREATE TABLE message (topic TEXT, payload BLOB)");
const insert = file.prepare("INSERT INTO message VALUES (?, ?)");
let group: { readonly topic: string; readonly payload: Buffer; readonly done: () => void }[] = [];
let handled = 0;

const client = connect(`mqtt://127.0.0.1:${port}`, { clientId: "naive", clean: false, protocolVersion: 5 });
client.handleMessage = ({ topic, payload }, done) =>
  group.push({ topic, payload: Buffer.from(payload), done });
setInterval(() => {
  const taken = group;
  group = [];
  if (taken.length === 0) return;
  file.transaction(() => {
    for (const { topic, payload } of taken) insert.run(topic, payload);
  })();
  handled += taken.length;
  for (const { done } of taken) done();
}, GROUP_MS);
client.subscribe("plant/#", { qos: 1 }, () => console.log("ready"));
setTimeout(
  () => {
    console.log(JSON.stringify({ perSecond: handled / (seconds ?? 1) }));
    file.close();
    rmSync(dir, { recursive: true, force: true });
    process.exit(0);
  },
  (seconds ?? 1) * 1_000,
);
