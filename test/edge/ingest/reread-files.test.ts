import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, onTestFinished, test } from "vitest";
import { RereadFiles } from "../../../edge/ingest/reread-files.ts";

/** A file that is read again every second, and what was read last. */
function rereadFile() {
  const dir = mkdtempSync(join(tmpdir(), "sluice-reread-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "users");
  writeFileSync(file, "first");
  const read = { text: "" };
  const clock = new SimulatedClock(0);
  const files = new RereadFiles({
    files: [file],
    load: () => (read.text = readFileSync(file, "utf8")),
    everyS: 1,
    clock,
    log: silentLog,
  });
  onTestFinished(() => files.stop());
  return { file, files, clock, read };
}

test("a file that has changed is read again, and one that has not is not", async () => {
  const { file, files, clock, read } = rereadFile();
  files.start();
  expect(read.text).toBe("first");
  read.text = "";
  await clock.advance(3_000);
  expect(read.text).toBe("");
  writeFileSync(file, "second, and longer");
  await clock.advance(1_000);
  expect(read.text).toBe("second, and longer");
});

test.each(["a circle of links", "nothing", "a folder"])(
  "%s in the file's place is a problem that is told, what was read before stays, and it ends when the file is back",
  async (what) => {
    const { file, files, clock, read } = rereadFile();
    files.start();
    rmSync(file);
    if (what === "a circle of links") symlinkSync(file, file);
    if (what === "a folder") symlinkSync(tmpdir(), file);
    await clock.advance(2_000);
    expect(read.text).toBe("first");
    expect(files.problem).toContain("those from before still are");
    rmSync(file, { force: true });
    writeFileSync(file, "back again");
    await clock.advance(1_000);
    expect(read.text).toBe("back again");
    expect(files.problem).toBeUndefined();
  },
);
