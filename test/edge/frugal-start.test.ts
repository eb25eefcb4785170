import { expect, test } from "vitest";
import { frugalStart } from "../../edge/frugal-start.ts";

const START = {
  execPath: "/usr/bin/node",
  execArgv: ["--inspect"],
  argv: ["/usr/bin/node", "edge/main.ts", "run", "--config", "gateway.yaml"],
  env: { PATH: "/usr/bin", GONE: undefined },
};

test("a gateway that is to run starts itself again with what it needs to be frugal", () => {
  const image = frugalStart(START);
  expect(image?.path).toBe("/usr/bin/node");
  expect(image?.args.at(0)).toBe("/usr/bin/node");
  expect(image?.args.slice(-4)).toEqual(["edge/main.ts", "run", "--config", "gateway.yaml"]);
  expect(image?.env).toMatchObject({ PATH: "/usr/bin", MALLOC_ARENA_MAX: "2" });
  expect(image?.env).not.toHaveProperty("GONE");
});

test("flags that were asked for come after the gateway's own, so that they win", () => {
  const args = frugalStart({ ...START, execArgv: ["--max-semi-space-size=64"] })?.args ?? [];
  const semiSpaces = args.filter((arg) => arg.startsWith("--max-semi-space-size"));
  expect(semiSpaces.length).toBe(2);
  expect(semiSpaces.at(-1)).toBe("--max-semi-space-size=64");
});

test("what the environment says of the allocator stays", () => {
  const env = { MALLOC_TRIM_THRESHOLD_: "1" };
  expect(frugalStart({ ...START, env })?.env).toMatchObject(env);
});

test("what has started again does not do so once more", () => {
  const image = frugalStart(START);
  expect(image).toBeDefined();
  expect(frugalStart({ ...START, env: image?.env ?? {} })).toBeUndefined();
});

test("a command that is over soon, and a process with a channel to its parent, stay as they are", () => {
  expect(frugalStart({ ...START, argv: ["node", "main.ts", "status", "--config", "run"] })).toBeUndefined();
  expect(frugalStart({ ...START, argv: ["node", "main.ts"] })).toBeUndefined();
  expect(frugalStart({ ...START, connected: true })).toBeUndefined();
});
