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

/**
 * glibc keeps freed memory in pools, by default eight for each core, and gives little of it back: two are enough for
 * two busy threads. Whoever sets it himself is not overruled.
 */
const POOLS = "MALLOC_ARENA_MAX";
const POOLS_MAX = "2";

/**
 * Node's own: megabytes of each half of the main thread's young generation, which else grows to 64 because nothing
 * makes it collect earlier; and threads that help to compile and collect, which else are four, on two cores too.
 */
const FLAGS = ["--max-semi-space-size=4", "--v8-pool-size=1"];

/**
 * How a gateway that is to run for months starts itself again, under the same process id, to need less memory: pools
 * and young generation are fixed before a program's first line, and with compiled code kept from the beginning the
 * compiler of TypeScript is never loaded. Undefined where that is done, or cannot be.
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
    env: { ...Object.fromEntries(kept), [POOLS]: POOLS_MAX },
  };
}
