import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Command } from "commander";
import { type Bodies, readBodies } from "./body.ts";
import { newKey } from "./cipher.ts";
import { lockBuffer } from "./lock.ts";
import { sqliteError } from "./sqlite-file.ts";
import { type BufferFiles, listBufferFiles } from "./tools/buffer-files.ts";
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
    .option("--format <format>", "of readings: csv (what is meant where nothing is said) or arrow")
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
  readonly format?: string;
  readonly out?: string;
}

async function exportTo(names: readonly string[], choice: ExportChoice, host: BufferHost): Promise<void> {
  // Only when it is wanted: what encodes tables would cost every gateway memory.
  const { exportMessages, exportReadings } = await import("./tools/export.ts");
  const { format, readings, out } = choice;
  const range = rangeOf(choice);
  if (format !== undefined && format !== "csv" && format !== "arrow")
    throw usage(`--format ${format}`, "Use csv or arrow.");
  if (format !== undefined && readings !== true)
    throw usage(`--format ${format} without --readings`, "Messages are always JSON lines.");
  if (readings === true && names.length > 0)
    throw usage(`--readings from ${names.join(", ")}`, "Readings are in the state, not in segments.");
  const [dir, bodies] = opened(choice, host);
  const files = listBufferFiles(dir);
  const paths = chosenSegments(files, names);
  const sink = out === undefined ? undefined : openNew(out);
  const options = { bodies, range, write: sink?.write ?? ((bytes: Uint8Array) => host.write(bytes)) };
  try {
    const { count, problems } =
      readings === true ? exportReadings(files, format ?? "csv", options) : exportMessages(paths, options);
    sink?.close();
    const what = readings === true ? "readings" : "messages";
    if (out !== undefined)
      host.print(choice.json === true ? toJson({ count, file: out, problems }) : `${count} ${what}: ${out}`);
    if (problems.length === 0) return;
    host.tell(`what is whole was written; something may be missing in it:\n  ${problems.join("\n  ")}`);
    host.fail();
  } catch (cause) {
    sink?.discard();
    throw sqliteError(cause, "cannot write the export");
  }
}

/** All segments, or those that are named, such as were set aside too. Throws "config.buffer_file" for others. */
function chosenSegments(files: BufferFiles, names: readonly string[]): readonly string[] {
  if (names.length === 0) return files.segments.map(({ path }) => path);
  const all = [...files.segments, ...files.asideSegments].map(({ path }) => path);
  const wanted = new Set(names.map((name) => basename(name)));
  const chosen = all.filter((path) => wanted.delete(basename(path)));
  if (wanted.size === 0) return chosen;
  throw new PipelineError("config.buffer_file", `${files.dir} holds no segment ${[...wanted].join(", ")}`, {
    hint: "sluice-gateway buffer inspect lists them.",
  });
}

function rangeOf({ from, through }: ExportChoice): OffsetRange {
  const number = (name: string, text: string): number => {
    if (!/^\d{1,16}$/.test(text)) throw usage(`${name} ${text}`, "Offsets are whole numbers from 0.");
    return Number(text);
  };
  const range = {
    from: number("--from", from),
    end: through === undefined ? Infinity : number("--through", through) + 1,
  };
  if (range.end > range.from) return range;
  throw usage(`--through ${through} is before --from ${from}`, "Both are part of what is written.");
}

/** A file that was not there before. */
interface NewFile {
  readonly write: (bytes: Uint8Array) => void;
  /** It is whole on disk. */
  readonly close: () => void;
  /** It is half written: nobody must take it for whole. */
  readonly discard: () => void;
}

function openNew(path: string): NewFile {
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
    discard: () => rmSync(path, { force: true }),
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
