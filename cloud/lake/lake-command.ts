import type { Command } from "commander";
import type { LakeHost } from "./command-host.ts";
import { addLakeHistory, addLakeList, addLakeShow } from "./lake-catalog-command.ts";
import { addSql } from "./sql-command.ts";
import { addUpkeep } from "./upkeep-command.ts";
import { addVerifyLake } from "./verify-command.ts";

/** The commands over the lake: `verify`, `sql` and `lake …`. */
export function addLakeCommands(program: Command, host: LakeHost): void {
  const command =
    (parent: Command, words: string) =>
    (name: string, description: string, example: string): Command =>
      parent
        .command(name)
        .description(description)
        .requiredOption("--config <file>", "settings file")
        .option("--json", "print JSON")
        .addHelpText("after", `\nExample:\n  sluice-cloud ${words}${example}`);
  addSql(command(program, ""), host);
  addVerifyLake(command(program, ""), host);
  const lake = program
    .command("lake")
    .description("The catalog: which tables there are, their columns, freshness and history.");
  for (const add of [addLakeList, addLakeShow, addLakeHistory]) add(command(lake, "lake "), host);
  addUpkeep(command(program, ""), host);
}
