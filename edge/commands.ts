import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { writeCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { Command, CommanderError } from "commander";
import { host, SOFTWARE_VERSION } from "./config.ts";
import { checkSettings } from "./settings-thread.ts";

/** Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage or settings. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** Failures that the user mends by changing what was asked for. */
const USAGE_ERROR =
  /^config\.|^ingest\.(tls|users|ca)_|^ingest\.no_such_user$|^keys\.|^import\.|\.port_in_use$|^buffer\.(locked|unwritable)$|\.settings$|\.address_refused$/;

const print = (text: string): void => void host.stdout.write(`${text}\n`);

const program = new Command("sluice-gateway")
  .description("Takes readings from machines, keeps them safe, scores them and brings them to the lake.")
  .version(SOFTWARE_VERSION)
  .exitOverride();

program
  .command("run")
  .description("Run the gateway until it is stopped (Ctrl-C or SIGTERM; a second one skips the draining).")
  .requiredOption("--config <file>", "settings file")
  .option("--json", "say on standard output, as JSON lines, when it is ready and when it has stopped")
  .addHelpText("after", "\nExample:\n  sluice-gateway run --config gateway.yaml")
  .action(async ({ config, json }: { config: string; json?: true }) => {
    const [settings, { Gateway }] = await Promise.all([checkSettings(config), import("./gateway.ts")]);
    const log = createLog("gateway", settings.log.level);
    const { promise: ended, resolve: end } = Promise.withResolvers<Error | undefined>();
    const gateway = await Gateway.make({ settings, clock: systemClock, log, failed: end });
    let signals = 0;
    host.onSignal(() => {
      if (++signals > 1) host.exit(FAILED);
      end(undefined);
    });
    await gateway.start();
    const addresses = gateway.addresses();
    if (json === true) print(JSON.stringify({ event: "ready", gateway: settings.gateway, ...addresses }));
    else {
      print(`gateway ${settings.gateway} is ready`);
      print(`  MQTT    ${addresses.mqtt.join(", ")}`);
      print(`  status  http://${addresses.status}/status`);
    }
    writeCompiledCode();
    const failure = await ended;
    const late = await gateway.stop();
    if (json === true) print(JSON.stringify({ event: "stopped", late }));
    if (late.length > 0) log.warn({ late }, "some parts did not stop in time");
    if (failure !== undefined) throw failure;
  });

// A gateway runs for months: it does not load what the others need.
if (host.argv[2] !== "run") (await import("./tools.ts")).addTools(program);

try {
  await program.parseAsync(host.argv);
} catch (error) {
  if (error instanceof CommanderError) host.exit(error.exitCode === 0 ? 0 : WRONG_USAGE);
  host.complain(`sluice-gateway: ${describeError(error)}`);
  host.exit(error instanceof PipelineError && USAGE_ERROR.test(error.code) ? WRONG_USAGE : FAILED);
}
host.exit(0);
