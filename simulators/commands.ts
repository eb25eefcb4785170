import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Command, CommanderError } from "commander";
import { host, SOFTWARE_VERSION } from "./config.ts";
import { demoCommand } from "./demo/command.ts";
import { loadCommand } from "./load/command.ts";
import { objectStoreCommand } from "./object-store-command.ts";
import { plantCommand } from "./plant/command.ts";
import { replayCommand } from "./replay/command.ts";

/** Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage or settings. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** Failures that the user mends by changing what was asked for. */
const USAGE_ERROR =
  /^config\.|^plant\.state_(refused|differs)$|^simulator\.state_|^replay\.(map_refused|file_refused|state_refused)$|^mqtt\.(address|window)_refused$|^object-store\.port$/;

/** One function per command, each in its own folder; they appear in `--help` in this order. */
const COMMANDS = [demoCommand, plantCommand, replayCommand, loadCommand, objectStoreCommand];

const program = new Command("sluice-sim")
  .description("The world outside Sluice: plants, recorded data, load and object stores, from a seed.")
  .version(SOFTWARE_VERSION);
for (const create of COMMANDS) program.addCommand(create(host));
for (const command of [program, ...program.commands]) command.exitOverride();

host.listenForSignals();
try {
  await program.parseAsync([...host.argv]);
} catch (error) {
  if (error instanceof CommanderError) host.exit(error.exitCode === 0 ? 0 : WRONG_USAGE);
  host.complain(`sluice-sim: ${describeError(error)}`);
  host.exit(error instanceof PipelineError && USAGE_ERROR.test(error.code) ? WRONG_USAGE : FAILED);
}
host.exit(0);
