import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { writeCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { showSettings } from "@sluice/shared/runtime/settings-file.ts";
import { Command, CommanderError } from "commander";
import { host, readSettings, sampleSettings, SOFTWARE_VERSION } from "./config.ts";
import { readBodies } from "./buffer/body.ts";
import { bufferCommand } from "./buffer/command.ts";
import { quarantineCommand } from "./buffer/quarantine-command.ts";
import { QuarantineStore } from "./buffer/quarantine-store.ts";
import { lockBuffer, lockFile } from "./buffer/lock.ts";
import { Gateway } from "./gateway.ts";
import { usersCommand } from "./ingest/command.ts";
import { importCommand } from "./ingest/import/command.ts";
import { SPOOL_DIR, SpoolFolder } from "./ingest/spool-folder.ts";
import { fetchStatus } from "./status/fetch-status.ts";
import { renderStatus } from "./status/render.ts";

/** The longest that a command waits for another one that changes the same file. */
const LOCK_WAIT_MS = 10_000;

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
    const settings = readSettings(config);
    const log = createLog("gateway", settings.log.level);
    const { promise: ended, resolve: end } = Promise.withResolvers<Error | undefined>();
    const gateway = new Gateway({ settings, clock: systemClock, log, failed: end });
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

program
  .command("status")
  .description("Ask a running gateway how it is.")
  .requiredOption("--config <file>", "settings file of the running gateway")
  .option("--json", "print JSON")
  .addHelpText("after", "\nExample:\n  sluice-gateway status --config gateway.yaml")
  .action(async ({ config, json }: { config: string; json?: true }) => {
    const { status } = readSettings(config);
    const answer = await fetchStatus(status);
    print(json === true ? JSON.stringify(answer, undefined, 2) : renderStatus(answer));
    if (!answer.healthy) host.exit(FAILED);
  });

/** Whether a gateway has the buffer. Throws where the folder cannot be used. */
function isRunning(bufferDir: string): boolean {
  try {
    lockBuffer(bufferDir)();
    return false;
  } catch (error) {
    if (error instanceof PipelineError && error.code === "buffer.locked") return true;
    throw error;
  }
}

program.addCommand(
  usersCommand({ print, askSecret: host.askSecret, lock: (file) => lockFile(file, LOCK_WAIT_MS) }),
);

program.addCommand(
  importCommand({
    print,
    tell: host.complain,
    onSignal: host.onSignal,
    gateway: (config) => {
      const { buffer, decode } = readSettings(config);
      return {
        spool: new SpoolFolder(join(buffer.dir, SPOOL_DIR), readBodies(buffer.dir, buffer.encryptionKeyFile)),
        deviceTypes: [...new Set(decode.routes.map(({ deviceType }) => deviceType))],
        isRunning: () => isRunning(buffer.dir),
      };
    },
  }),
);

program.addCommand(
  bufferCommand({
    print,
    write: (bytes) => void host.stdout.write(bytes),
    tell: host.complain,
    fail: () => host.exit(FAILED),
    readSettings: (config) => readSettings(config).buffer,
  }),
);

program.addCommand(
  quarantineCommand({
    print,
    tell: host.complain,
    fail: () => host.exit(FAILED),
    open: (config) => {
      const { buffer } = readSettings(config);
      const bodies = readBodies(buffer.dir, buffer.encryptionKeyFile);
      return {
        store: QuarantineStore.attach(buffer.dir, bodies),
        spool: new SpoolFolder(join(buffer.dir, SPOOL_DIR), bodies),
      };
    },
  }),
);

const config = program.command("config").description("Settings: print a commented sample, or check a file.");
config
  .command("sample")
  .description("Print a commented settings file with everything there is.")
  .addHelpText("after", "\nExample:\n  sluice-gateway config sample > gateway.yaml")
  .action(() => print(sampleSettings().trimEnd()));
config
  .command("check")
  .description("Check a settings file; every mistake is listed.")
  .argument("<file>")
  .option("--json", "print JSON")
  .addHelpText("after", "\nExample:\n  sluice-gateway config check gateway.yaml")
  .action((file: string, { json }: { json?: true }) => {
    const settings = readSettings(file);
    print(json === true ? showSettings(settings) : `${file}: in order`);
  });

try {
  await program.parseAsync(host.argv);
} catch (error) {
  if (error instanceof CommanderError) host.exit(error.exitCode === 0 ? 0 : WRONG_USAGE);
  host.complain(`sluice-gateway: ${describeError(error)}`);
  host.exit(error instanceof PipelineError && USAGE_ERROR.test(error.code) ? WRONG_USAGE : FAILED);
}
host.exit(0);
