// A short form of `npm run recorded -- bearings`.
import { join } from "node:path";
import { expect, test } from "vitest";
import { type BearingRow, judgeRecord } from "./bearings.ts";
import { hasCwru, readCwru } from "./cwru-files.ts";

const dataDir = process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../shared/data");
if (!hasCwru(dataDir)) console.warn(`SKIPPED: there is no ${join(dataDir, "cwru")}; set SLUICE_DATA`);

test.skipIf(!hasCwru(dataDir))(
  "the fault of each race is found in a record that has it, and none in the normal bearing",
  () => {
    const records = readCwru(dataDir);
    const rowOf = (device: string): BearingRow => {
      const record = records.find((each) => each.device === device);
      if (record === undefined) throw new Error(`no record ${device}`);
      return judgeRecord(record);
    };
    expect(rowOf("1772_IR_21").named).toBe("bpfi");
    expect(rowOf("1730_ORat6_7").named).toBe("bpfo");
    expect(rowOf("1797_Normal_12kHz").named).toBeUndefined();
  },
);
