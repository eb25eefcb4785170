import { join } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { showSettings } from "@sluice/shared/runtime/settings-file.ts";
import type { Command } from "commander";
import { readBodies } from "./buffer/body.ts";
import { bufferCommand } from "./buffer/command.ts";
import { lockBuffer, lockFile } from "./buffer/lock.ts";
import { quarantineCommand } from "./buffer/quarantine-command.ts";
import { QuarantineStore } from "./buffer/quarantine-store.ts";
import { host } from "./config.ts";
import { usersCommand } from "./ingest/command.ts";
import { importCommand } from "./ingest/import/command.ts";
import { SPOOL_DIR, SpoolFolder } from "./ingest/spool-folder.ts";
import { type GatewaySettings, readSettings, sampleSettings } from "./settings.ts";
import { fetchStatus } from "./status/fetch-status.ts";
import { renderStatus } from "./status/render.ts";

/** The longest that a command waits for another one that changes the same file. */
const LOCK_WAIT_MS = 10_000;

/** What a command ends with whose answer is no. */
const FAILED = 1;

const print = (text: string): void => void host.stdout.write(`${text}\n`);

const settingsOf = (config: string): GatewaySettings => readSettings(config, host.environment);

/** Every command but the gateway itself: each does one thing and ends. */
export function addTools(program: Command): void {
  addStatus(program);
  program.addCommand(
    usersCommand({ print, askSecret: host.askSecret, lock: (file) => lockFile(file, LOCK_WAIT_MS) }),
  );
  addImport(program);
  addBuffer(program);
  addConfig(program);
}

function addStatus(program: Command): void {
  program
    .command("status")
    .description("Ask a running gateway how it is.")
    .requiredOption("--config <file>", "settings file of the running gateway")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  sluice-gateway status --config gateway.yaml")
    .action(async ({ config, json }: { config: string; json?: true }) => {
      const { status } = settingsOf(config);
      const answer = await fetchStatus(status);
      print(json === true ? JSON.stringify(answer, undefined, 2) : renderStatus(answer));
      if (!answer.healthy) host.exit(FAILED);
    });
}

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

function addImport(program: Command): void {
  program.addCommand(
    importCommand({
      print,
      tell: host.complain,
      onSignal: host.onSignal,
      gateway: (config) => {
        const { buffer, decode } = settingsOf(config);
        return {
          spool: new SpoolFolder(
            join(buffer.dir, SPOOL_DIR),
            readBodies(buffer.dir, buffer.encryptionKeyFile),
          ),
          deviceTypes: [...new Set(decode.routes.map(({ deviceType }) => deviceType))],
          isRunning: () => isRunning(buffer.dir),
        };
      },
    }),
  );
}

function addBuffer(program: Command): void {
  program.addCommand(
    bufferCommand({
      print,
      write: (bytes) => void host.stdout.write(bytes),
      tell: host.complain,
      fail: () => host.exit(FAILED),
      readSettings: (config) => settingsOf(config).buffer,
    }),
  );
  program.addCommand(
    quarantineCommand({
      print,
      tell: host.complain,
      fail: () => host.exit(FAILED),
      open: (config) => {
        const { buffer } = settingsOf(config);
        const bodies = readBodies(buffer.dir, buffer.encryptionKeyFile);
        return {
          store: QuarantineStore.attach(buffer.dir, bodies),
          spool: new SpoolFolder(join(buffer.dir, SPOOL_DIR), bodies),
        };
      },
    }),
  );
}

function addConfig(program: Command): void {
  const config = program
    .command("config")
    .description("Settings: print a commented sample, or check a file.");
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
      const settings = settingsOf(file);
      print(json === true ? showSettings(settings) : `${file}: in order`);
    });
}
