/** What a process was started with. */
export interface Start {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  /** With the program's own path as the second. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** It talks with its parent over a channel, which only this process has. */
  readonly connected?: boolean;
}

/** What a process is to be started with: its arguments begin with its own path. */
export interface Image {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

/** Says that a process was started so, because whoever sets it himself is not overruled. */
const POOLS = "MALLOC_ARENA_MAX";

/**
 * glibc's own: it keeps freed memory in pools, by default eight for each core, and gives little of it back. Two are
 * enough for two busy threads, and what is over 128 KiB, as groups and batches are, goes back as soon as it is freed:
 * without this limit it rises with what is freed, up to 32 MiB.
 */
const ALLOCATOR = {
  [POOLS]: "2",
  MALLOC_MMAP_THRESHOLD_: String(128 * 1_024),
  MALLOC_TRIM_THRESHOLD_: String(512 * 1_024),
};

/**
 * Node's own. Megabytes of each half of the main thread's young generation, which else grows to 64 because nothing
 * makes it collect earlier. Threads that help to compile and collect, which else are four, on two cores too. The old
 * generation is left alone: collecting it earlier gave back 50 MiB after the greatest load and took a sixth of it.
 */
const FLAGS = ["--max-semi-space-size=4", "--v8-pool-size=1"];

/**
 * How a gateway that is to run for months starts itself again, under the same process id, to need less memory: these
 * limits are fixed before a program's first line, and with compiled code kept from the beginning the compiler of
 * TypeScript is never loaded. Undefined where that is done, or cannot be.
 */
export function frugalStart({ execPath, execArgv, argv, env, connected }: Start): Image | undefined {
  if (argv[2] !== "run" || env[POOLS] !== undefined || connected === true) return undefined;
  const kept = Object.entries(env).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
  return {
    path: execPath,
    // What was asked for comes last, and so wins.
    args: [execPath, ...FLAGS, ...execArgv, ...argv.slice(1)],
    env: { ...ALLOCATOR, ...Object.fromEntries(kept) },
  };
}
