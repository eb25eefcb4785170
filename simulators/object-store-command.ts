import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Command } from "commander";
import type { Host } from "./config.ts";
import { Fields } from "./fields.ts";
import type { Fault } from "./object-store/faults.ts";
import { startObjectStore } from "./object-store/start.ts";
import { numberOption } from "./options.ts";

interface ObjectStoreCliOptions {
  readonly host: string;
  readonly port: number;
  readonly dir?: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly fault: readonly string[];
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  sluice-sim object-store --port 9000 --dir ./bucket
  sluice-sim object-store --port 9000 --fault '{"kind":"refuse","status":503,"code":"SlowDown","method":"PUT","count":10}'

Faults come in the given order, each to "count" requests (1) of "method" (any): slow (ms), cut, refuse (status, code),
lost-reply, torn-read.`;

/** `sluice-sim object-store`: a small S3 server. */
export function objectStoreCommand(host: Host): Command {
  return new Command("object-store")
    .description("Serve a small S3 store from memory or a folder, with faults to order.")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option(
      "--port <n>",
      "where to listen; 0: a free port",
      numberOption({ min: 0, max: 65_535, whole: true }),
      9_000,
    )
    .option("--dir <folder>", "keep objects in this folder (default: in memory)")
    .option("--bucket <name>", "the bucket that is there", "lake")
    .option("--access-key-id <id>", "whom to let in", "sluice")
    .option("--secret-access-key <secret>", "and by which secret", "sluice-secret")
    .option("--fault <json>", "what goes wrong (several times: one after the other)", collect, [])
    .option("--json", "print JSON lines")
    .addHelpText("after", EXAMPLES)
    .action((options: ObjectStoreCliOptions) => serve(host, options));
}

const collect = (text: string, earlier: readonly string[]): readonly string[] => [...earlier, text];

async function serve(host: Host, { fault, json, ...options }: ObjectStoreCliOptions): Promise<void> {
  const faults = fault.map(parseFault);
  const store = await startObjectStore(options);
  for (const one of faults) store.orderFault(one);
  const { endpoint, bucket, accessKeyId } = store;
  host.print(
    json === true
      ? JSON.stringify({ event: "ready", endpoint, bucket, accessKeyId })
      : `${endpoint} serves the bucket ${bucket} to ${accessKeyId}`,
  );
  if (!host.interrupted.aborted)
    await new Promise((resolve) => host.interrupted.addEventListener("abort", resolve, { once: true }));
  await store.stop();
  const { requests, refused, faults: served } = store.stats();
  host.print(
    json === true
      ? JSON.stringify({ event: "stopped", requests, refused, faults: served })
      : `stopped after ${Object.values(requests).reduce((sum, count) => sum + count, 0)} requests, ` +
          `${refused} refused, ${served} faults`,
  );
}

const KINDS = ["slow", "cut", "refuse", "lost-reply", "torn-read"] as const;
const METHODS = ["GET", "PUT", "HEAD", "POST", "DELETE"] as const;

/** Reads a fault. Throws PipelineError "config.invalid" that lists every mistake. */
export function parseFault(text: string): Fault {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (cause) {
    throw new PipelineError("config.invalid", `--fault ${text}: it is not JSON`, { cause });
  }
  const fields = new Fields(input);
  const kind = fields.oneOf("kind", KINDS);
  const which = {
    ...(fields.has("method") ? { method: fields.oneOf("method", METHODS) } : {}),
    ...(fields.has("count") ? { count: fields.number("count", { min: 1, max: 1e9, whole: true }) } : {}),
  };
  const fault = { ...which, ...kindOf(kind, fields) };
  fields.end();
  if (fields.mistakes.length > 0)
    throw new PipelineError("config.invalid", `--fault ${text}: ${fields.mistakes.join("; ")}`);
  return fault;
}

function kindOf(kind: (typeof KINDS)[number], fields: Fields): Fault {
  if (kind === "slow") return { kind, ms: fields.number("ms", { min: 0, max: 3_600_000 }) };
  if (kind !== "refuse") return { kind };
  return {
    kind,
    status: fields.number("status", { min: 400, max: 599, whole: true }),
    code: fields.text("code"),
  };
}
