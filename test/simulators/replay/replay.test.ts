import { systemClock, SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import * as fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { AcknowledgedPrefix } from "../../../simulators/replay/acknowledged-prefix.ts";
import { alignFiles, mergeFiles } from "../../../simulators/replay/merge.ts";
import { parseReplayMap } from "../../../simulators/replay/replay-map.ts";
import { fingerprintOf, parseReplayState } from "../../../simulators/replay/replay-state.ts";
import { Replayer } from "../../../simulators/replay/replayer.ts";
import type { ReplayPublisher, ReplayRun } from "../../../simulators/replay/replayer.ts";
import type { BadRow, Row } from "../../../simulators/replay/row.ts";
import { planShiftUs } from "../../../simulators/replay/shift.ts";
import { surveyFiles } from "../../../simulators/replay/survey.ts";

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

/** Files with these texts in a folder of their own; their paths. */
function filesOf(texts: Readonly<Record<string, string>>): string[] {
  const dir = mkdtempSync(join(tmpdir(), "sluice-replay-"));
  dirs.push(dir);
  return Object.entries(texts).map(([name, text]) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  });
}

const MAP = parseReplayMap(
  `
delimiter: ";"
time: { column: t, format: unix_s }
device: { file: "{name}" }
topic: lab/{device}/telemetry
metrics: { a: alpha, b: beta }
missing: ["", "NA"]
labels: [truth]
`,
  "map.yaml",
);

async function rowsOf(paths: readonly string[], together = false): Promise<Row[]> {
  const files = alignFiles(await surveyFiles(paths, MAP, () => undefined), together);
  const rows: Row[] = [];
  for await (const row of mergeFiles(files, MAP)) rows.push(row);
  return rows;
}

test("rows of several files come in the order of their times, and of equal ones in the order of the files", async () => {
  const paths = filesOf({
    "p.csv": "t;a;b;truth\n1;1;1;0\n3;3;3;0\n5;5;5;1\n",
    "q.csv": "t;a;b;truth\n1;-1;0;0\n2;-2;0;0\n9;-9;0;0",
  });
  const rows = await rowsOf(paths);
  expect(rows.map(({ device, measuredAtUs }) => `${device}${measuredAtUs / 1e6}`)).toEqual(
    "p1 q1 q2 p3 p5 q9".split(" "),
  );
  expect(rows[4]).toEqual({
    device: "p",
    measuredAtUs: 5_000_000,
    values: { alpha: 5, beta: 5 },
    labels: { truth: "1" },
  });
});

test("files can begin together, each keeping its own pace", async () => {
  const paths = filesOf({
    "p.csv": "t;a;b\n100;1;1\n101;2;2\n",
    "q.csv": "t;a;b\n5000;1;1\n5003;2;2\n",
  });
  const rows = await rowsOf(paths, true);
  expect(rows.map(({ device, measuredAtUs }) => `${device}${measuredAtUs / 1e6}`)).toEqual(
    "p100 q100 p101 q103".split(" "),
  );
});

test("a survey counts good, empty and bad rows, and names file, line, column and value of each bad one", async () => {
  const [path = ""] = filesOf({
    "p.csv": 't;a;b\n1;1;NA\n2;;NA\nsoon;1;1\n4;"x\ny";1\n5;1\n6;0x10;1\n7;1e400;1\n8; 2.5e-3 ;-.5\n',
  });
  const bad: BadRow[] = [];
  const [survey] = await surveyFiles([path], MAP, (row) => bad.push(row));
  expect(survey).toMatchObject({ rows: 2, emptyRows: 1, badRows: 5, fromUs: 1e6, toUs: 8e6 });
  expect(bad.map(({ line, problem }) => `${line}: ${problem}`)).toEqual([
    '4: column "t": "soon" is not a time as unix_s',
    '5: column "a": "x\ny" is not a number',
    "7: it has 2 fields, and there are 3 columns",
    '8: column "a": "0x10" is not a number',
    '9: column "a": "1e400" is not a number',
  ]);
  const rows = await rowsOf([path]);
  expect(rows.map(({ values }) => values)).toEqual([{ alpha: 1 }, { alpha: 0.0025, beta: -0.5 }]);
});

test("a file that is not there, is empty, or lacks a column is refused with its name", async () => {
  const [short = "", empty = "", torn = ""] = filesOf({
    "short.csv": "t;a\n1;1\n",
    "empty.csv": "",
    "torn.csv": 't;a;b\n1;"1;1\n',
  });
  const survey = (path: string) => surveyFiles([path], MAP, () => undefined);
  await expect(survey(short)).rejects.toMatchObject({
    code: "replay.file_refused",
    message: `${short} has no column "b"`,
    hint: 'It has "t", "a".',
  });
  await expect(survey(empty)).rejects.toThrow(`${empty} is empty`);
  await expect(survey(torn)).rejects.toThrow(`${torn}:2: a quote is not closed`);
  await expect(survey(`${short}.gone`)).rejects.toThrow(`cannot read ${short}.gone`);
});

test("where a file has no times, rows are counted over all files", async () => {
  const map = parseReplayMap(
    `
time: { start: "2011-01-01T00:00:00Z", intervalS: 3600 }
device: { column: who }
topic: x/{device}
metrics: { v: v }
decimal: ","
delimiter: ";"
`,
    "map.yaml",
  );
  const paths = filesOf({ "1.csv": "who;v\na;1,5\nb/c;2\n", "2.csv": "who;v\na;-3,25\na;1.5\n" });
  const bad: BadRow[] = [];
  const files = alignFiles(await surveyFiles(paths, map, (row) => bad.push(row)), false);
  const rows: Row[] = [];
  for await (const row of mergeFiles(files, map)) rows.push(row);
  const hour = 3_600_000_000;
  expect(
    rows.map(({ measuredAtUs, values }) => [(measuredAtUs - (rows[0]?.measuredAtUs ?? 0)) / hour, values]),
  ).toEqual([
    [0, { v: 1.5 }],
    [2, { v: -3.25 }],
  ]);
  expect(bad).toHaveLength(2);
});

/** A publisher that notes what it gets and acknowledges when it is told to. */
class NotingPublisher implements ReplayPublisher {
  readonly published: { payload: string; atUs: number; acknowledge: () => void }[] = [];
  readonly #clock: SimulatedClock;
  readonly #isWithholding: boolean;
  #open = 0;

  constructor(clock: SimulatedClock, isWithholding = false) {
    this.#clock = clock;
    this.#isWithholding = isWithholding;
  }

  publish(_topic: string, payload: string): Promise<void> {
    this.#open++;
    return new Promise((resolve) => {
      const acknowledge = (): void => {
        this.#open--;
        resolve();
      };
      this.published.push({ payload, atUs: this.#clock.nowUs(), acknowledge });
      if (!this.#isWithholding) acknowledge();
    });
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  async drain(deadlineMs: number): Promise<number> {
    if (this.#open > 0) await this.#clock.sleep(deadlineMs);
    return this.#open;
  }

  stats(): never {
    throw new Error("not asked for here");
  }
}

function runOf(
  rows: readonly Row[],
  changes: Partial<ReplayRun> & Pick<ReplayRun, "publisher" | "clock">,
): ReplayRun {
  return {
    rows: (async function* () {
      yield* rows;
    })(),
    map: MAP,
    signal: new AbortController().signal,
    speed: 1,
    gapMaxUs: Infinity,
    shiftUs: 0,
    skipRows: 0,
    drainMs: 1_000,
    progress: () => Promise.resolve(),
    ...changes,
  };
}

const rowAt = (second: number): Row => ({
  device: "d",
  measuredAtUs: second * 1e6,
  values: { alpha: second },
  labels: {},
});

/** Runs to its end while simulated time goes on. */
async function play<T>(clock: SimulatedClock, work: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const result = work.finally(() => ended.abort());
  while (!ended.signal.aborted) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(10);
  }
  return result;
}

test("rows go out when they are due: their event times apart, divided by the speed, silences shortened", async () => {
  const clock = new SimulatedClock(0);
  const publisher = new NotingPublisher(clock);
  const rows = [100, 101, 103, 102.5, 200, 201].map(rowAt);
  await play(clock, new Replayer(runOf(rows, { publisher, clock, speed: 2, gapMaxUs: 10e6 })).run());
  // 102.5 is late in the recording too: it goes out at once. 97 s of silence become 10.
  const due = [0, 0.5, 1.5, 1.5, 6.5, 7];
  for (const [i, { atUs }] of publisher.published.entries())
    expect(Math.abs(atUs / 1e6 - (due[i] ?? Number.NaN))).toBeLessThanOrEqual(0.03);
  expect(publisher.published).toHaveLength(6);
});

test("at speed 0 nothing waits, and times are moved by the shift", async () => {
  const clock = new SimulatedClock(0);
  const publisher = new NotingPublisher(clock);
  const rows = [100, 5_000].map(rowAt);
  const end = await new Replayer(runOf(rows, { publisher, clock, speed: 0, shiftUs: 7e6 })).run();
  expect(publisher.published.map(({ payload }) => payload)).toEqual([
    '{"ts":107000,"alpha":100}',
    '{"ts":5007000,"alpha":5000}',
  ]);
  expect(end).toMatchObject({ rows: 2, acknowledged: 2 });
});

test("an interrupted replay says how far it is acknowledged without a gap, and the next run goes on from there", async () => {
  const clock = new SimulatedClock(0);
  const interrupt = new AbortController();
  const first = new NotingPublisher(clock, true);
  const rows = Array.from({ length: 10 }, (_, i) => rowAt(i));
  const running = new Replayer(
    runOf(rows, { publisher: first, clock, speed: 1, signal: interrupt.signal }),
  ).run();
  while (first.published.length < 6) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(100);
  }
  for (const i of [0, 1, 3, 5]) first.published[i]?.acknowledge();
  interrupt.abort();
  const end = await play(clock, running);
  expect(end).toMatchObject({ rows: 6, acknowledged: 2 });
  const second = new NotingPublisher(clock);
  const rest = await play(
    clock,
    new Replayer(runOf(rows, { publisher: second, clock, speed: 0, skipRows: end.acknowledged })).run(),
  );
  expect(rest).toMatchObject({ rows: 10, acknowledged: 10 });
  expect(second.published[0]?.payload).toBe('{"ts":2000,"alpha":2}');
  expect(second.published).toHaveLength(8);
});

test("the acknowledged prefix is what a plain look at all acknowledgements gives, in any order", () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 30 })
        .chain((n) => fc.shuffledSubarray(Array.from({ length: n }, (_, i) => i))),
      (order) => {
        const prefix = new AcknowledgedPrefix(0);
        const seen = new Set<number>();
        for (const row of order) {
          prefix.add(row);
          seen.add(row);
          let expected = 0;
          while (seen.has(expected)) expected++;
          expect(prefix.count).toBe(expected);
        }
      },
    ),
  );
});

test("moved to the present, no row is published before it is measured, at any speed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1_000_000), { minLength: 1 }),
      fc.constantFrom(0, 0.1, 0.5, 1, 2, 60, 10_000),
      (offsets, speed) => {
        const times = offsets.map((offset) => offset * 1e6).sort((a, b) => a - b);
        const [fromUs = 0, toUs = 0] = [times[0], times.at(-1)];
        const nowUs = 1.7e15;
        const shiftUs = planShiftUs({ fromUs, toUs, nowUs, speed, isShortened: false });
        for (const us of times) {
          const publishedUs = speed === 0 ? nowUs : nowUs + (us - fromUs) / speed;
          expect(us + shiftUs).toBeLessThanOrEqual(publishedUs + 1);
        }
        // As late as can be: the first or the last row is measured when it is published.
        const [firstUs, lastUs] = [nowUs, speed === 0 ? nowUs : nowUs + (toUs - fromUs) / speed];
        const early = Math.min(firstUs - fromUs, lastUs - toUs) - shiftUs;
        expect(Math.abs(early)).toBeLessThanOrEqual(1);
      },
    ),
  );
  expect(
    planShiftUs({ fromUs: NaN, toUs: NaN, nowUs: systemClock.nowUs(), speed: 1, isShortened: false }),
  ).toBe(0);
});

test("a state goes on only with the files, the map and the alignment that it was made with", async () => {
  const [path = ""] = filesOf({ "p.csv": "t;a;b\n1;1;1\n" });
  const surveys = await surveyFiles([path], MAP, () => undefined);
  const fingerprint = fingerprintOf("map", surveys, false);
  const state = { formatVersion: 1, fingerprint, acknowledged: 3, shiftUs: 0 };
  expect(parseReplayState(state, "s.json", fingerprint)).toEqual(state);
  for (const other of [
    fingerprintOf("another map", surveys, false),
    fingerprintOf("map", surveys, true),
    fingerprintOf("map", [...surveys, ...surveys], false),
  ])
    expect(() => parseReplayState(state, "s.json", other)).toThrow("belongs to other files or another map");
  expect(() => parseReplayState({ ...state, acknowledged: -1 }, "s.json", fingerprint)).toThrow(
    "acknowledged: -1",
  );
});
