import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { showSettings } from "@sluice/shared/runtime/settings-file.ts";
import { newUuid, seededRandom } from "@sluice/shared/runtime/random.ts";
import { Command, CommanderError } from "commander";
import { type CloudSettings, host, readSettings, sampleSettings, SOFTWARE_VERSION } from "./config.ts";
import { addFeatureCommands } from "./feature-store/command.ts";
import { commitOnce, renderTaken } from "./lake/commit-once.ts";
import { addLakeCommands } from "./lake/lake-command.ts";
import { renderCommit } from "./lake/render-commit.ts";
import { writeKeyPair } from "./registry/keys.ts";
import { CloudService, openLake, type Opened, type Outside } from "./service.ts";

/** Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage or settings. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** Failures that the user mends by changing what was asked for. */
const USAGE_ERROR =
  /^config\.|^keys\.|^status\.|^sql\.invalid$|^lake\.version_(gone|unknown)$|^lake\.cache_unusable$|^store\.(no_conditional_put|missing|denied)$/;

const print = (text: string): void => void host.stdout.write(`${text}\n`);

host.onReaderGone((error) => {
  host.complain(`sluice-cloud: not all could be printed: ${error.message}`);
  host.exit(FAILED);
});

/** What the program ends with when nothing is thrown. */
let exitCode = 0;

interface Common {
  readonly config: string;
  readonly json?: true;
}

function outside(settings: CloudSettings): Outside {
  return {
    clock: systemClock,
    random: seededRandom(Number.parseInt(newUuid().slice(0, 8), 16)),
    log: createLog("cloud", settings.log.level),
  };
}

/** Opens the lake for one command and closes it whatever happens. */
async function withLake(
  config: string,
  work: (opened: Opened, settings: CloudSettings) => Promise<void>,
): Promise<void> {
  const settings = readSettings(config);
  const opened = await openLake(settings, outside(settings));
  try {
    await work(opened, settings);
  } finally {
    await opened.close();
  }
}

const program = new Command("sluice-cloud")
  .description("Commits what gateways land into tables, learns from it, and brings what it learned back.")
  .version(SOFTWARE_VERSION)
  .exitOverride();

const command = (name: string, description: string, example: string): Command =>
  program
    .command(name)
    .description(description)
    .requiredOption("--config <file>", "settings file")
    .option("--json", "print JSON")
    .addHelpText("after", `\nExample:\n  sluice-cloud ${example}`);

command("run", "Run the service until it is stopped (Ctrl-C or SIGTERM).", "run --config cloud.yaml").action(
  async ({ config, json }: Common) => {
    const settings = readSettings(config);
    const world = outside(settings);
    const opened = await openLake(settings, world);
    const { promise: ended, resolve: end } = Promise.withResolvers<Error | undefined>();
    const service = new CloudService(settings, opened, { ...world, failed: end });
    let signals = 0;
    host.onSignal(() => {
      if (++signals > 1) host.exit(FAILED);
      end(undefined);
    });
    await service.start();
    if (json === true) print(JSON.stringify({ event: "ready", status: service.address }));
    else print(`the cloud service is ready: http://${service.address}`);
    const failure = await ended;
    const late = await service.stop();
    if (json === true) print(JSON.stringify({ event: "stopped", late }));
    if (failure !== undefined) throw failure;
  },
);

command("commit", "Commit what has landed into the tables, once.", "commit --config cloud.yaml")
  .option("--wait", "where another service commits, wait for its lease to end")
  .action(({ config, json, wait }: Common & { readonly wait?: true }) =>
    withLake(config, async (opened) => {
      const waiting = ({ by, until }: { readonly by: string; readonly until: string }): void =>
        host.showProgress(`waiting for ${by}, whose lease ends at ${until}`);
      const outcome = await commitOnce(opened, systemClock, wait === true ? waiting : undefined);
      host.showProgress("");
      if (outcome.state === "taken") exitCode = FAILED;
      if (json === true)
        print(JSON.stringify(outcome.state === "taken" ? outcome : outcome.report, undefined, 2));
      else print(outcome.state === "taken" ? renderTaken(outcome) : renderCommit(outcome.report));
    }),
  );

command(
  "train",
  "Train the models now, whatever their triggers say, and print the verdicts.",
  "train --config cloud.yaml",
)
  .option("--model <name>", "only this model")
  .action(({ config, json, model }: Common & { readonly model?: string }) =>
    withLake(config, async ({ lake, retrainings }) => {
      const chosen = retrainings.filter((retraining) => model === undefined || retraining.model === model);
      if (chosen.length === 0)
        throw new PipelineError("config.model", `no model ${model ?? ""} in ${config}`, {
          hint: `The file has: ${retrainings.map((retraining) => retraining.model).join(", ") || "none"}.`,
        });
      await lake.commitLanding();
      for (const retraining of chosen) {
        await retraining.publishView();
        const attempt = await retraining.trainNow();
        if (json === true) print(JSON.stringify(attempt, undefined, 2));
        else print([`${attempt.decision}: ${attempt.reasons.join(" ")}`, attempt.table].join("\n"));
        if (attempt.decision !== "promote") exitCode = FAILED;
      }
    }),
  );

addLakeCommands(program, {
  print,
  showProgress: host.showProgress,
  answerIsNo: () => (exitCode = FAILED),
  onSignal: (handle) => {
    let signals = 0;
    host.onSignal(() => (++signals > 1 ? host.exit(FAILED) : handle()));
  },
  withLake: (config, work) =>
    withLake(config, ({ store, lake, lease }, { tables, models }) =>
      work({ store, lake, lease, settings: tables, views: models.map(({ view }) => view) }),
    ),
});

addFeatureCommands(program, {
  print,
  showProgress: host.showProgress,
  answerIsNo: () => (exitCode = FAILED),
  withLake,
});

program
  .command("keys")
  .description("Make the pair of keys that signs bundles and checks them.")
  .requiredOption("--out <folder>", "where to write signing.key (keep it secret) and signing.pub")
  .option("--json", "print JSON")
  .addHelpText("after", "\nExample:\n  sluice-cloud keys --out keys")
  .action(async ({ out, json }: { readonly out: string; readonly json?: true }) => {
    const written = await writeKeyPair(out);
    if (json === true) print(JSON.stringify(written, undefined, 2));
    else
      print(
        `private key ${written.privateKeyPath}\npublic key  ${written.publicKeyPath}\nkey id      ${written.keyId}`,
      );
  });

const config = program.command("config").description("Settings: print a commented sample, or check a file.");
config
  .command("sample")
  .description("Print a commented settings file with everything there is.")
  .addHelpText("after", "\nExample:\n  sluice-cloud config sample > cloud.yaml")
  .action(() => print(sampleSettings().trimEnd()));
config
  .command("check")
  .description("Check a settings file; every mistake is listed.")
  .argument("<file>")
  .option("--json", "print JSON")
  .addHelpText("after", "\nExample:\n  sluice-cloud config check cloud.yaml")
  .action((file: string, { json }: { readonly json?: true }) => {
    const settings = readSettings(file);
    print(json === true ? showSettings(settings) : `${file}: in order`);
  });

try {
  await program.parseAsync(host.argv);
} catch (error) {
  if (error instanceof CommanderError) host.exit(error.exitCode === 0 ? 0 : WRONG_USAGE);
  host.complain(`sluice-cloud: ${describeError(error)}`);
  host.exit(error instanceof PipelineError && USAGE_ERROR.test(error.code) ? WRONG_USAGE : FAILED);
}
await host.finish(exitCode);
