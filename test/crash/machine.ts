import { spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Random } from "@sluice/shared/runtime/random.ts";

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

export type Operation =
  "write" | "torn" | "wrote" | "fsync" | "synced" | "rename" | "renamed" | "unlink" | "unlinked";

const FAILURES = ["full", "read-only", "failing", "unsynced"] as const;

/** ENOSPC, EROFS, EIO, and EIO of syncs alone. */
export type Failure = (typeof FAILURES)[number];

/** Kills the process at the `n`-th such operation on a path that matches. */
export interface KillPoint {
  readonly operation: Operation;
  readonly n: number;
  /** As in fnmatch, on the whole path; an asterisk matches slashes too. */
  readonly pattern: string;
  /** Operations count from `arm` on, not from the start. */
  readonly waitsForArming?: boolean;
}

/** What is ordered for one life of a process on the machine. */
export interface Orders {
  readonly kill?: KillPoint;
  /** Syncs as with this synchronous of SQLite; left out, every sync counts. */
  readonly sync?: "normal" | "off";
  /** Only what is synced survives: `cutPower` must follow. */
  readonly powerCut?: boolean;
  /** With a power cut: pages whose sync failed are lost, though a later sync of the file succeeds. */
  readonly losesUnsynced?: boolean;
  readonly clock?: boolean;
}

/**
 * The failing machine of faulty-machine.c: a folder that is its disk, and orders for what goes wrong there.
 *
 * It is loaded into the process under test by LD_PRELOAD, so the program needs no switch for any of it.
 */
export class Machine {
  readonly disk: string;
  readonly #library: string;
  readonly #dir: string;

  private constructor(dir: string, library: string) {
    this.#dir = dir;
    this.#library = library;
    this.disk = join(dir, "disk");
    mkdirSync(this.disk, { recursive: true });
    writeFileSync(this.#at("clock"), Buffer.alloc(8));
  }

  /** Builds the library; undefined where there is no C compiler. */
  static make(dir: string): Machine | undefined {
    const library = buildMachine(dir);
    return library === undefined ? undefined : new Machine(dir, library);
  }

  /** The environment of a process that is to run on this machine. */
  env({ kill, sync, powerCut, losesUnsynced, clock }: Orders = {}): Record<string, string> {
    if (powerCut === true) {
      rmSync(this.#at("shadow"), { recursive: true, force: true });
      mkdirSync(this.#at("shadow"));
      mirrorAll(this.disk, this.#at("shadow"));
    }
    rmSync(this.#at("armed"), { force: true });
    return {
      LD_PRELOAD: this.#library,
      MACHINE_DISK: this.disk,
      MACHINE_FULL: this.#at("full"),
      MACHINE_READ_ONLY: this.#at("read-only"),
      MACHINE_FAILING: this.#at("failing"),
      MACHINE_UNSYNCED: this.#at("unsynced"),
      ...(kill === undefined ? {} : { MACHINE_KILL: `${kill.operation} ${kill.n} ${kill.pattern}` }),
      ...(kill?.waitsForArming === true ? { MACHINE_ARMED: this.#at("armed") } : {}),
      ...(sync === undefined ? {} : { MACHINE_SYNC: sync }),
      ...(powerCut === true ? { MACHINE_SHADOW: this.#at("shadow") } : {}),
      ...(losesUnsynced === true ? { MACHINE_BY_PAGE: "1" } : {}),
      ...(clock === true ? { MACHINE_CLOCK: this.#at("clock") } : {}),
    };
  }

  /** From now on operations count towards a kill point that waits for it. */
  arm(): void {
    writeFileSync(this.#at("armed"), "");
  }

  /** From now on writes to paths that match fail, or their syncs alone, until `heal`. */
  fail(how: Failure, pattern = "*"): void {
    // Made whole before it counts.
    writeFileSync(this.#at("draft"), pattern);
    renameSync(this.#at("draft"), this.#at(how));
  }

  heal(): void {
    for (const how of FAILURES) rmSync(this.#at(how), { force: true });
  }

  /** Steps the wall clock of processes that run with `clock` to this many milliseconds ahead, or behind. */
  stepClock(aheadMs: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(aheadMs)) * 1_000n);
    // In place: the processes have mapped this very file.
    const file = openSync(this.#at("clock"), "r+");
    writeSync(file, bytes);
    closeSync(file);
  }

  /**
   * What a power cut leaves: what was synced, and of what was not, with `random`, any sectors; without, none.
   * The process must have ended.
   */
  cutPower(random?: Random): void {
    const left = this.#at("left");
    restore({ inode: statSync(this.disk).ino, shadow: this.#at("shadow"), target: left });
    if (random !== undefined) tear(this.disk, { left, shadow: this.#at("shadow"), random });
    rmSync(this.disk, { recursive: true });
    rmSync(this.#at("shadow"), { recursive: true });
    renameSync(left, this.disk);
  }

  #at(name: string): string {
    return join(this.#dir, name);
  }
}

/** The library of faulty-machine.c, built into the folder; undefined where there is no C compiler. */
function buildMachine(dir: string): string | undefined {
  const library = join(dir, "faulty-machine.so");
  if (existsSync(library)) return library;
  const source = join(import.meta.dirname, "faulty-machine.c");
  const compiler = process.env["CC"] ?? "cc";
  const { status, error, stderr } = spawnSync(compiler, [
    ...["-O1", "-shared", "-fPIC"],
    ...["-o", library, source, "-ldl"],
  ]);
  if (error !== undefined) return undefined;
  if (status !== 0) throw new Error(`the C compiler refused ${source}: ${stderr.toString()}`);
  return library;
}

/** Tells the disk that everything below `dir` is synced. */
function mirrorAll(dir: string, shadow: string): void {
  const entries = readdirSync(dir, { withFileTypes: true });
  const lines = entries.map((entry) => {
    const path = join(dir, entry.name);
    const inode = statSync(path).ino;
    if (entry.isDirectory()) mirrorAll(path, shadow);
    else copyFileSync(path, join(shadow, `file-${inode}`));
    return `${inode} ${entry.isDirectory() ? "d" : "f"} ${entry.name}\n`;
  });
  writeFileSync(join(shadow, `folder-${statSync(dir).ino}`), lines.join(""));
}

/** Writes what a power cut would have left of the folder with this inode. */
function restore(from: { readonly inode: number; readonly shadow: string; readonly target: string }): void {
  const { inode, shadow, target } = from;
  mkdirSync(target);
  const listing = join(shadow, `folder-${inode}`);
  if (!existsSync(listing)) return;
  for (const line of readFileSync(listing, "utf8").split("\n").slice(0, -1)) {
    const [entry = "", kind = "", ...name] = line.split(" ");
    const path = join(target, name.join(" "));
    if (kind === "d") restore({ inode: Number(entry), shadow, target: path });
    else if (existsSync(join(shadow, `file-${entry}`))) copyFileSync(join(shadow, `file-${entry}`), path);
    else writeFileSync(path, "");
  }
}

interface Tearing {
  /** What was synced, restored; changed in place. */
  readonly left: string;
  readonly shadow: string;
  readonly random: Random;
}

/** Lets some of the sectors arrive that were written but not synced, file by file: none, all, a beginning, or any. */
function tear(written: string, { left, shadow, random }: Tearing): void {
  for (const entry of readdirSync(written, { withFileTypes: true })) {
    const [from, to] = [join(written, entry.name), join(left, entry.name)];
    if (!existsSync(to)) continue;
    if (entry.isDirectory()) tear(from, { left: to, shadow, random });
    else if (existsSync(join(shadow, `file-${statSync(from).ino}`)))
      writeFileSync(to, torn(readFileSync(to), readFileSync(from), random));
  }
}

function torn(synced: Buffer, written: Buffer, random: Random): Buffer {
  const how = random.int(4);
  const sectors = Math.ceil(written.length / SECTOR_BYTES);
  const end = random.int(sectors + 1);
  const result = Buffer.alloc(Math.max(synced.length, written.length));
  synced.copy(result);
  let length = synced.length;
  for (let sector = 0; sector < sectors; sector++) {
    const hasArrived = how === 1 || (how === 2 && sector < end) || (how === 3 && random.next() < 0.5);
    if (!hasArrived) continue;
    const [at, until] = [sector * SECTOR_BYTES, Math.min((sector + 1) * SECTOR_BYTES, written.length)];
    written.copy(result, at, at, until);
    length = Math.max(length, until);
  }
  return result.subarray(0, length);
}
