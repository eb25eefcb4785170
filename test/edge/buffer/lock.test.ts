import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockBuffer } from "../../../edge/buffer/lock.ts";
import { codeOf, tempFolder } from "./fixtures.ts";

test("a buffer that another process has is refused, and is free as soon as that one is killed", async () => {
  const dir = tempFolder();
  const program = `import { lockBuffer } from ${JSON.stringify(new URL("../../../edge/buffer/lock.ts", import.meta.url).href)};
    lockBuffer(process.argv[1]);
    process.stdout.write("locked");
    setInterval(() => undefined, 1_000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(holder, "exit");
  await once(holder.stdout, "data");
  expect(codeOf(() => lockBuffer(dir))).toBe("buffer.locked");
  holder.kill("SIGKILL");
  await exited;
  lockBuffer(dir)();
});

test("a lock that was given back can be taken again, and only then", () => {
  const dir = join(tempFolder(), "not", "there", "yet");
  const release = lockBuffer(dir);
  expect(codeOf(() => lockBuffer(dir))).toBe("buffer.locked");
  release();
  lockBuffer(dir)();
});

test("a folder that cannot be used is refused with the reason", () => {
  const dir = tempFolder();
  writeFileSync(join(dir, "file"), "x");
  expect(codeOf(() => lockBuffer(join(dir, "file")))).toBe("buffer.unwritable");
  expect(codeOf(() => lockBuffer(join(dir, "file", "below")))).toBe("buffer.unwritable");
});
