import type { Command } from "commander";
import type { FeaturesHost, MakeCommand } from "./command-host.ts";
import { addBackfill, addJoin, addVerify } from "./vector-commands.ts";
import { addDiff, addLint, addList, addShow } from "./view-commands.ts";

/** `sluice-cloud features`: what the views in the lake are, where their vectors come from, and joins with them. */
export function addFeatureCommands(program: Command, host: FeaturesHost): void {
  const features = program
    .command("features")
    .description("The feature store: views, their vectors, back-fills and joins.");
  const command: MakeCommand = (name, description, example) =>
    features
      .command(name)
      .description(description)
      .option("--json", "print JSON")
      .addHelpText("after", `\nExample:\n  sluice-cloud features ${example}`);
  for (const add of [addList, addShow, addDiff, addLint, addBackfill, addJoin, addVerify]) add(command, host);
}
