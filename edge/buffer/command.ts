import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Command } from "commander";
import { type Bodies, readBodies } from "./body.ts";
import { newKey } from "./cipher.ts";
import { lockBuffer } from "./lock.ts";
import { sqliteError } from "./sqlite-file.ts";
import { listBufferFiles } from "./tools/buffer-files.ts";
import { examineBuffer, type Progress } from "./tools/examine.ts";
import { renderFacts, renderRepairs, renderVerdict } from "./tools/render.ts";
import { repairBuffer } from "./tools/repair.ts";
import type { OffsetRange } from "./tools/salvage.ts";
import { judgeBuffer } from "./tools/verdict.ts";

/** What the commands need of the program that they are part of. */
export interface BufferHost {
  print(text: string): void;
  /** Writes bytes to standard output. */
  write(bytes: Uint8Array): void;
  /** Tells a person how far it is. */
  tell(text: string): void;
  /** Ends the program with "the answer is no". */
  fail(): void;
  /** The buffer's settings in a settings file. */
  readSettings(config: string): BufferPlace;
}

interface BufferPlace {
  readonly dir: string;
  readonly encryptionKeyFile?: string | undefined;
}

interface Choice {
  readonly config?: string;
  readonly dir?: string;
  readonly keyFile?: string;
  readonly json?: true;
}

/** Commander's exit code of a wrong argument is the program's; ours are refusals with a hint. */
const usage = (message: string, hint: string): PipelineError =>
  new PipelineError("config.invalid", message, { hint });

/** `sluice-gateway buffer`: what is in the buffer, whether it is whole, and saving what can be saved. */
export function bufferCommand(host: BufferHost): Command {
  const buffer = new Command("buffer")
    .exitOverride()
    .description("The buffer on disk: inspect, verify, repair, export; a key to encrypt it.");
  const command = (name: string, description: string, example: string): Command =>
    buffer
      .command(name)
      .description(description)
      .option("--config <file>", "settings file of the gateway")
      .option("--dir <folder>", "the buffer's folder, in place of --config")
      .option("--key-file <file>", "the buffer's key, where --dir names an encrypted one")
      .option("--json", "print JSON")
      .addHelpText("after", `\nExample:\n  sluice-gateway buffer ${example}`);
  command(
    "inspect",
    "Show what is in the buffer, also while the gateway runs.",
    "inspect --config gateway.yaml",
  ).action((choice: Choice) => {
    const facts = examineBuffer(...opened(choice, host), progressOf(host, "reading"));
    host.print(choice.json === true ? toJson(facts) : renderFacts(facts));
  });
  command(
    "verify",
    "Read every file and every message, also while the gateway runs; exit code 1 where the buffer is not whole.",
    "verify --config gateway.yaml",
  ).action((choice: Choice) => {
    const facts = examineBuffer(...opened(choice, host), progressOf(host, "verifying"));
    const verdict = judgeBuffer(facts);
    host.print(choice.json === true ? toJson(verdict) : renderVerdict(verdict));
    if (!verdict.isWhole) host.fail();
  });
  command(
    "repair",
    "Write a whole file beside each damaged one, with every message that is whole; exit code 1 where any is lost.",
    "repair --config gateway.yaml --replace",
  )
    .argument("[files...]", "only these files, also such as were set aside")
    .option("--replace", "put the repaired files in place; the gateway must be stopped")
    .action((files: readonly string[], choice: Choice & { readonly replace?: true }) =>
      repair(files, choice, host),
    );
  command(
    "export",
    "Write raw messages as JSON lines, or the readings that the lake does not have yet.",
    "export --config gateway.yaml --from 1000 --through 1999 --out messages.ndjson",
  )
    .argument("[files...]", "only from these segments, also such as were set aside")
    .option("--from <offset>", "first offset", "0")
    .option("--through <offset>", "last offset")
    .option("--readings", "readings in place of messages")
    .option("--format <format>", "of readings: csv or arrow", "csv")
    .option("--out <file>", "a new file, in place of standard output")
    .action((files: readonly string[], choice: ExportChoice) => exportTo(files, choice, host));
  buffer
    .command("key")
    .description("Print a new key for buffer.encryptionKeyFile.")
    .addHelpText("after", "\nExample:\n  (umask 077; sluice-gateway buffer key > buffer.key)")
    .action(() => host.print(newKey()));
  return buffer;
}

function repair(
  files: readonly string[],
  choice: Choice & { readonly replace?: true },
  host: BufferHost,
): void {
  const [dir, bodies] = opened(choice, host);
  listBufferFiles(dir); // A folder without a buffer gets no lock.
  const replace = choice.replace === true;
  const unlock = replace ? lockBuffer(dir) : undefined;
  try {
    const repairs = repairBuffer(dir, { bodies, replace, only: files });
    host.print(choice.json === true ? toJson(repairs) : renderRepairs(repairs));
    const isAll = repairs.every(
      ({ lost, kept, repaired }) => lost.length === 0 && kept === undefined && repaired !== undefined,
    );
    if (!isAll) host.fail();
  } finally {
    unlock?.();
  }
}

interface ExportChoice extends Choice {
  readonly from: string;
  readonly through?: string;
  readonly readings?: true;
  readonly format: string;
  readonly out?: string;
}

async function exportTo(names: readonly string[], choice: ExportChoice, host: BufferHost): Promise<void> {
  // Only when it is wanted: what encodes tables would cost every gateway memory.
  const { exportMessages, exportReadings } = await import("./tools/export.ts");
  const [dir, bodies] = opened(choice, host);
  const range = rangeOf(choice);
  const { format, readings, out } = choice;
  if (format !== "csv" && format !== "arrow") throw usage(`--format ${format}`, "Use csv or arrow.");
  const files = listBufferFiles(dir);
  const chosen = [...files.segments, ...(names.length === 0 ? [] : files.asideSegments)].filter(
    ({ path }) => names.length === 0 || names.some((name) => path.endsWith(name.split("/").at(-1) ?? name)),
  );
  if (names.length > 0 && chosen.length < names.length)
    throw usage(
      `${dir} holds no such segments: ${names.join(", ")}`,
      "sluice-gateway buffer inspect lists them.",
    );
  const sink = out === undefined ? undefined : openNew(out);
  const write = sink?.write ?? ((bytes: Uint8Array) => host.write(bytes));
  const options = { bodies, range, write };
  try {
    const count =
      readings === true
        ? exportReadings(files, format, options)
        : exportMessages(
            chosen.map(({ path }) => path),
            options,
          );
    sink?.close();
    const what = readings === true ? "readings" : "messages";
    if (out !== undefined)
      host.print(choice.json === true ? toJson({ count, file: out }) : `${count} ${what}: ${out}`);
  } catch (cause) {
    throw sqliteError(cause, "cannot write the export");
  }
}

function rangeOf({ from, through }: ExportChoice): OffsetRange {
  const number = (name: string, text: string): number => {
    if (!/^\d{1,16}$/.test(text)) throw usage(`${name} ${text}`, "Offsets are whole numbers from 0.");
    return Number(text);
  };
  return {
    from: number("--from", from),
    end: through === undefined ? Infinity : number("--through", through) + 1,
  };
}

/** A file that was not there before; it is whole on disk when it is closed. */
function openNew(path: string): { readonly write: (bytes: Uint8Array) => void; readonly close: () => void } {
  let handle: number;
  try {
    handle = openSync(path, "wx", 0o600); // What is exported may be what the buffer encrypts.
  } catch (cause) {
    throw new PipelineError("config.out", `cannot make ${path}`, {
      cause,
      hint: "Name a file that is not there yet, in a folder that is.",
    });
  }
  return {
    write: (bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
    },
    close: () => {
      fsyncSync(handle);
      closeSync(handle);
    },
  };
}

/** The folder and how its bodies are read; nothing is touched. */
function opened({ config, dir, keyFile }: Choice, host: BufferHost): [dir: string, bodies: Bodies] {
  if ((config === undefined) === (dir === undefined))
    throw usage("say which buffer", "Name the gateway's settings with --config, or the folder with --dir.");
  const place: BufferPlace =
    config === undefined ? { dir: dir ?? "", encryptionKeyFile: keyFile } : host.readSettings(config);
  return [place.dir, readBodies(place.dir, keyFile ?? place.encryptionKeyFile)];
}

/** Files that are read without a word: below that, all is done in a moment. */
const QUIET_FILES = 8;

const progressOf =
  (host: BufferHost, what: string): Progress =>
  (done, total, file) => {
    if (total > QUIET_FILES && done % QUIET_FILES === 0)
      host.tell(`${what} ${done + 1} of ${total}: ${file}`);
  };

const toJson = (value: unknown): string => JSON.stringify(value, undefined, 2);
