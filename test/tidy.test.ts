// The rules of the house, executable. A rule that a tool can check lives in that tool; what is left is here.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const WORKSPACES = ["edge", "cloud", "shared", "simulators"];

/** What git would commit, so that a new file is checked before it is added. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString()
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(root, file)));
const sources = files.filter((file) => file.endsWith(".ts"));
const product = sources.filter((file) => WORKSPACES.includes(file.split("/")[0] ?? ""));
const text = (file: string): string => readFileSync(join(root, file), "utf8");

/** Places as "file:line: text" where `pattern` occurs in code, comments left out. */
function places(among: readonly string[], pattern: RegExp): string[] {
  return among.flatMap((file) =>
    text(file)
      .split("\n")
      .map((line, i) => ({ line: line.replace(/^\s*(\*|\/\*\*|\/\/).*$/, "").replace(/\s\/\/\s.*$/, ""), i }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, i }) => `${file}:${i + 1}: ${line.trim()}`),
  );
}

test("the import rules saw every source file and found nothing to refuse", () => {
  const report = execFileSync(
    process.execPath,
    [
      join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs"),
      ...["--config", ".dependency-cruiser.js", "--output-type", "json", ...WORKSPACES, "test"],
    ],
    { cwd: root, maxBuffer: 256 * 1_048_576, stdio: ["ignore", "pipe", "ignore"] },
  );
  const { modules, summary } = JSON.parse(report.toString()) as {
    modules: { source: string; dependencies: { resolved: string }[] }[];
    summary: { violations: unknown[] };
  };
  const seen = new Set(modules.map((module) => module.source));
  expect(sources.filter((file) => file.includes("/") && !seen.has(file))).toEqual([]);
  // A cruise that follows no imports would pass every rule: one known import across workspaces must be there.
  const gateway = modules.find((module) => module.source === "edge/gateway.ts");
  expect(gateway?.dependencies.map((dependency) => dependency.resolved)).toContain("shared/runtime/clock.ts");
  expect(summary.violations).toEqual([]);
});

test("only main.ts and config.ts touch the process", () => {
  const elsewhere = product.filter((file) => !/^[a-z]+\/(main|config)\.ts$/.test(file));
  expect(places(elsewhere, /\bprocess\.|from "node:process"/)).toEqual([]);
});

test("time and chance have one door", () => {
  const elsewhere = product.filter((file) => !file.startsWith("shared/runtime/"));
  const pattern =
    /\bDate\.now\(|\bnew Date\(|\bperformance\.now\(|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\brandomUUID\(|node:timers/;
  expect(places(elsewhere, pattern)).toEqual([]);
});

test("no file has a name that says nothing", () => {
  expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|manager)(\/|\.ts$)/.test(file))).toEqual(
    [],
  );
});

test("every file name is kebab-case", () => {
  expect(sources.filter((file) => !/(^|\/)[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(file))).toEqual([]);
});

test("every path that a document names is there", () => {
  const missing = files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => {
      const links = [...text(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)/g)].map(
        (m) => m[1] ?? "",
      );
      const named = [
        ...text(file).matchAll(/`((?:edge|cloud|shared|simulators|test|docs|deploy)\/[\w./-]+)`/g),
      ];
      const paths = [
        ...links.map((link) => normalize(join(dirname(file), link))),
        ...named.map((m) => m[1] ?? ""),
      ];
      return paths.filter((path) => !existsSync(join(root, path))).map((path) => `${file}: ${path}`);
    });
  expect(missing).toEqual([]);
});

test("each workspace has a page that explains it", () => {
  expect(WORKSPACES.filter((name) => !existsSync(join(root, name, "README.md")))).toEqual([]);
});

test("each stage of the design has its folder", () => {
  const stages = {
    edge: ["ingest", "buffer", "decode", "features", "inference", "sync", "models", "status"],
    cloud: ["lake", "dataset", "training", "evaluation", "registry", "rollout"],
    shared: ["contract", "features", "model", "codec", "store", "runtime"],
    simulators: ["plant", "fleet", "replay", "object-store"],
  };
  for (const [workspace, names] of Object.entries(stages))
    expect(readdirSync(join(root, workspace))).toEqual(expect.arrayContaining(names));
});

test("the project says nothing of the machine that it was written on", () => {
  const rest = files.filter((file) => !/package-lock\.json$|^LICENSE$|\.(bin|zst|parquet|png)$/.test(file));
  expect(places(rest, /(^|[^A-Za-z0-9_.~}/-])\/(home|root|work|farm|opt)\/[a-z]/)).toEqual([]);
});

test("no test is switched off or left alone without a stated reason", () => {
  const tests = sources.filter((file) => file.startsWith("test/") && file !== "test/tidy.test.ts");
  expect(places(tests, /\b(test|it|describe)\.(only|todo|skip)\(|\bexpect\(true\)/)).toEqual([]);
});

test("the lock file names every platform's packages and no address", () => {
  const { packages } = JSON.parse(text("package-lock.json")) as {
    packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
  };
  // Where a registry lacks another platform's package, npm leaves it out, and `npm ci` then refuses the lock file.
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  );
  expect(missing).toEqual([]);
  expect(Object.values(packages).filter(({ resolved }) => resolved?.startsWith("http") === true)).toEqual([]);
});
