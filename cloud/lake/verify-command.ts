import { STREAMS } from "@sluice/shared/contract/stream.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import {
  countOf,
  type LakeHost,
  type LakeOptions,
  type MakeLakeCommand,
  oneOf,
  showing,
  timeOf,
  toJson,
} from "./command-host.ts";
import { verifyLake, type VerifyScope, withFindings } from "./verify.ts";
import { verifyDeep } from "./verify-deep.ts";
import { deviceHours } from "./verify-devices.ts";
import { renderDeviceHours, renderVerify } from "./verify-render.ts";

interface VerifyCommand extends LakeOptions {
  readonly gateway?: string;
  readonly table?: string;
  readonly from?: string;
  readonly to?: string;
  readonly byDevice?: true;
  readonly deep?: true;
  readonly limit: string;
}

/** `verify`: whether everything is in the lake once. */
export function addVerifyLake(command: MakeLakeCommand, host: LakeHost): void {
  command(
    "verify",
    "Prove that everything that gateways had is in the lake once, or say what is missing and why; ends with 1 where nobody says why.",
    "verify --config cloud.yaml --gateway site-1 --by-device",
  )
    .option("--gateway <name>", "only this gateway")
    .option("--table <table>", `only this table (${STREAMS.join(", ")})`)
    .option("--from <time>", "only what was measured at or after it")
    .option("--to <time>", "only what was measured before it")
    .option("--by-device", "also every device and hour; reads four columns of the readings")
    .option(
      "--deep",
      "also read the table files: their checksums, rows per range, rows against landing objects",
    )
    .option("--limit <count>", "most lines of each list", "50")
    .action((options: VerifyCommand) =>
      host.withLake(options.config, async ({ store, lake }) => {
        const limit = countOf("--limit", options.limit);
        const scope = scopeOf(options);
        const answer = await showing(host, async (tell) => {
          const context = { store, sql: (query: string) => lake.sql(query), clock: systemClock, tell };
          const { report: shallow, ...read } = await verifyLake(context, scope);
          const deep = options.deep === true ? await verifyDeep(context, read, scope) : [];
          const report = withFindings(shallow, deep);
          tell("counting the hours of devices");
          const devices =
            options.byDevice === true
              ? await deviceHours(context.sql, { findings: report.findings, events: read.events }, scope)
              : undefined;
          return { report, devices };
        });
        if (options.json === true)
          host.print(toJson({ ...answer.report, deviceHours: answer.devices?.hours.slice(0, limit) }));
        else {
          host.print(renderVerify(answer.report, limit));
          if (answer.devices !== undefined) host.print(`\n${renderDeviceHours(answer.devices, limit)}`);
        }
        if (answer.report.state === "unexplained") host.answerIsNo();
      }),
    );
}

function scopeOf({ gateway, table, from, to }: VerifyCommand): VerifyScope {
  const scope = {
    gateway,
    tables: table === undefined ? undefined : [oneOf("--table", table, STREAMS)],
    fromUs: timeOf("--from", from),
    toUs: timeOf("--to", to),
  };
  if (scope.fromUs !== undefined && scope.toUs !== undefined && scope.fromUs >= scope.toUs)
    throw new PipelineError("config.time", `--from ${from ?? ""} is not before --to ${to ?? ""}`, {
      hint: "What was measured from --from until --to is verified.",
    });
  return scope;
}
