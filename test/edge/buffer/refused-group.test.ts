import { join } from "node:path";
import { expect, test } from "vitest";
import { Segment } from "../../../edge/buffer/segment.ts";
import { contents, groupOf, messageOf, numbered, openLog, tempFolder } from "./fixtures.ts";

const segmentAt = (dir: string, offset: number): Segment =>
  new Segment(join(dir, `segment-${String(offset).padStart(16, "0")}.db`), offset);

// Goal: a group that was refused takes no offset from another, and is not missed. Method: the files that a full disk
// and a kill leave: SQLite failed after it had written the group's commit, the next segment was begun at the same
// offset, and the group is back in the old one.
test.each([0, 3])(
  "a refused group that comes back after a kill is neither counted as lost nor in the way of %i later messages",
  (later) => {
    const dir = tempFolder();
    const first = openLog(dir);
    first.append(numbered(0, 10));
    first.close();
    const stamp = { bootId: "boot", monotonicUs: 0, wallUs: 0 };
    const old = segmentAt(dir, 0);
    old.append({ first: 10, count: 1, bytes: groupOf([messageOf("refused")]) }, stamp);
    old.rest();
    const next = segmentAt(dir, 10);
    if (later > 0) next.append({ first: 10, count: later, bytes: numbered(10, later) }, stamp);
    next.rest();

    const log = openLog(dir);
    expect(log.nextOffset).toBe(10 + later);
    log.append(groupOf([messageOf("new", { packetId: 99 })]));
    expect(contents(log)).toEqual([
      ...Array.from({ length: 10 + later }, (_, n) => `${n} ${n}`),
      `${10 + later} new`,
    ]);
    expect(log.stats().damages).toEqual([]);
    log.close();
  },
);
