import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { readSettingsFile } from "@sluice/shared/runtime/settings-file.ts";
import { describeIssues } from "@sluice/shared/runtime/settings-issues.ts";
import { expect, onTestFinished, test } from "vitest";

function read(text: string, environment: Record<string, string> = {}): unknown {
  const dir = mkdtempSync(join(tmpdir(), "sluice-settings-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "settings.yaml");
  writeFileSync(path, text);
  return readSettingsFile(path, environment, (data) => ({ data }));
}

function refusal(work: () => unknown): PipelineError {
  try {
    work();
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("a variable may hold whatever YAML would read as something else", () => {
  const secret = `a: {b} #c "d' \\ \n- [e`;
  expect(read('plain: ${KEY}\nquoted: "${KEY}"\nlist: [x, { y: ${KEY} }]', { KEY: secret })).toEqual({
    plain: secret,
    quoted: secret,
    list: ["x", { y: secret }],
  });
});

test("a variable alone and without quotes can be a number or a boolean, and elsewhere is text", () => {
  const text = "port: ${N}\nquoted: '${N}'\nurl: mqtt://host:${N}\non: ${T}\nid: ${ID}";
  expect(read(text, { N: "1883", T: "true", ID: "0042" })).toEqual({
    port: 1883,
    quoted: "1883",
    url: "mqtt://host:1883",
    on: true,
    id: "0042",
  });
});

test("variables that are not set are named, all at once, except in comments", () => {
  const error = refusal(() => read("# ${NOT_USED}\na: ${ONE}\nb: [x-${TWO}, ${ONE}]"));
  expect(error.code).toBe("config.variable_missing");
  expect(error.message).toMatch(/names ONE, TWO$/);
});

test("a broken file is refused without showing a variable's value", () => {
  const error = refusal(() => read("a: [${KEY}", { KEY: "hunter2" }));
  expect(error.code).toBe("config.malformed");
  expect(String(error.cause)).not.toContain("hunter2");
});

test("a file that is not there is refused by its path", () => {
  expect(refusal(() => readSettingsFile("none.yaml", {}, (data) => ({ data })))).toMatchObject({
    code: "config.unreadable",
    message: "cannot read none.yaml",
  });
});

test("a section whose every line is commented out means its defaults", () => {
  expect(read("status:\n  # port: 1\nlog: {}")).toEqual({ status: {}, log: {} });
});

test("a mistake is shown with its path and value, an unknown setting by its name, and a secret not at all", () => {
  const input = { lake: { secretAccessKey: 12_345, port: 70_000 } };
  const lines = describeIssues(
    [
      { path: ["lake", "port"], message: "too big" },
      { path: ["lake", "secretAccessKey"], message: "not a string" },
      { path: ["lake", "region"], message: "needed" },
      { path: ["lake"], message: "", keys: ["hots"] },
      { path: [], message: "", keys: ["top"] },
    ],
    input,
  );
  expect(lines).toEqual([
    "lake.port: 70000: too big",
    "lake.secretAccessKey: (hidden): not a string",
    "lake.region: missing: needed",
    "lake.hots: no such setting",
    "top: no such setting",
  ]);
});
