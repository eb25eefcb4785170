import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { readCatalogue } from "./catalogue.ts";
import { type Common, type FeaturesHost, type MakeCommand, showing, toJson } from "./command-host.ts";
import { datasetsOf } from "./datasets.ts";
import { describeFeature, diffViews, metricsOf, unitsOf } from "./describe.ts";
import { lintFiles } from "./lint.ts";
import { renderCatalogue, renderLint, renderView } from "./render.ts";
import { chooseView, isFile, onlyViewOf } from "./view-file.ts";
import { findView, listViews, type PublishedView } from "./views.ts";

/** `features ls`: every view of the lake. */
export function addList(command: MakeCommand, host: FeaturesHost): void {
  command("ls", "List the views in the lake, with their vectors and who uses them.", "ls --config cloud.yaml")
    .requiredOption("--config <file>", "settings file")
    .action(({ config, json }: Common) =>
      host.withLake(config, async ({ store, lake }) => {
        const catalogue = await showing(host, (progress) => {
          progress("looking through views, models and the fleet");
          return readCatalogue({ store, lake, clock: systemClock });
        });
        const { rows, unreadable } = catalogue;
        host.print(json === true ? toJson({ views: rows, unreadable }) : renderCatalogue(catalogue));
      }),
    );
}

/** `features show`: one view. */
export function addShow(command: MakeCommand, host: FeaturesHost): void {
  command(
    "show",
    "Show a view: its features with their units, which metrics they come from, and who uses them.",
    "show --config cloud.yaml pump_health",
  )
    .argument("<view>", "a view's name, the first digits of its hash, or name@hash")
    .requiredOption("--config <file>", "settings file")
    .action((wanted: string, { config, json }: Common) =>
      host.withLake(config, async ({ store, lake }) => {
        const { view, hash } = findView((await listViews(store)).views, wanted);
        const { rows } = await readCatalogue({ store, lake, clock: systemClock });
        const row = present(
          rows.find((one) => one.hash === hash),
          "a view that was found is in the catalogue",
        );
        const datasets = await datasetsOf(store, hash);
        const units = unitsOf(view);
        const lineage = view.features.map((feature, place) => ({
          feature: feature.name,
          is: describeFeature(feature),
          unit: units[place],
          metrics: metricsOf(view, feature),
        }));
        host.print(
          json === true
            ? toJson({ ...row, definition: view, lineage, datasets })
            : renderView(view, row, datasets),
        );
      }),
    );
}

/** `features diff`: two views against each other. */
export function addDiff(command: MakeCommand, host: FeaturesHost): void {
  command(
    "diff",
    "Say in words how two views differ; ends with 1 where they do.",
    "diff --config cloud.yaml pump_health@4f2a91 new-view.json",
  )
    .argument("<view-a>", "a view's name or hash, or a file with its definition")
    .argument("<view-b>", "the same")
    .option("--config <file>", "settings file; not needed for two files")
    .action(async (a: string, b: string, { config, json }: Partial<Common>) => {
      const diff = (before: PublishedView, after: PublishedView): void => {
        const differences = diffViews(before.view, after.view);
        if (json === true) host.print(toJson({ a: before.hash, b: after.hash, differences }));
        else host.print(differences.join("\n") || "The two are the same view.");
        if (differences.length > 0) host.answerIsNo();
      };
      if (isFile(a) && isFile(b)) diff(onlyViewOf(a), onlyViewOf(b));
      else if (config !== undefined)
        await host.withLake(config, async ({ store }) =>
          diff(await chooseView(store, a), await chooseView(store, b)),
        );
      else
        throw new PipelineError(
          "config.view",
          `${isFile(a) ? b : a} is a view of the lake, and no lake is named`,
          {
            hint: "Give --config with the settings of the cloud.",
          },
        );
    });
}

/** `features lint`: files of views, with the lake or without. */
export function addLint(command: MakeCommand, host: FeaturesHost): void {
  command(
    "lint",
    "Check files of views as a gateway does; ends with 1 where one is refused. With --config also against the lake's views.",
    "lint views/pump_health.json views/motor.yaml",
  )
    .argument(
      "<files...>",
      "JSON or YAML: a view, a list of views, or the settings of a gateway or of the cloud",
    )
    .option("--config <file>", "settings file: warns of views that the lake has under another name")
    .action(async (files: readonly string[], { config, json }: Partial<Common>) => {
      const lint = (views: readonly PublishedView[]): void => {
        const linted = lintFiles(files, views);
        host.print(json === true ? toJson(linted) : renderLint(linted));
        if (linted.some(({ issues }) => issues.length > 0)) host.answerIsNo();
      };
      if (config === undefined) lint([]);
      else await host.withLake(config, async ({ store }) => lint((await listViews(store)).views));
    });
}
