import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test, vi } from "vitest";
import { InferenceStage } from "../../edge/inference/inference-stage.ts";
import { prediction } from "../cloud/lake/rows.ts";
import { nthMessage, openParts } from "../crash/pipeline-parts.ts";
import { groupOf, tempFolder } from "./buffer/fixtures.ts";

test("readings in a window that the champion calls anomalous are kept, and not those that only a shadow does", () => {
  const made: Prediction[] = [];
  const score = vi.spyOn(InferenceStage.prototype, "score").mockImplementation((vectors, firstSeq) => {
    const predictions = vectors.map(({ device, windowStartUs, windowEndUs }, i) => {
      const seq = firstSeq + i;
      const slot = seq % 5 === 0 ? ("shadow" as const) : ("champion" as const);
      // Three anomalous windows in a row of each seven, by either.
      return { ...prediction(seq), device, windowStartUs, windowEndUs, slot, anomalous: seq % 7 < 3 };
    });
    made.push(...predictions);
    return { predictions, alerts: [] };
  });
  const parts = openParts(tempFolder(), silentLog);
  parts.messages.append(groupOf(Array.from({ length: 8_000 }, (_, n) => nthMessage(n))));
  while (parts.pipeline.step());
  score.mockRestore();
  const kept = made.filter(({ anomalous, slot }) => anomalous && slot === "champion");
  const isKept = (device: string, atUs: number): boolean =>
    kept.some((own) => own.device === device && atUs >= own.windowStartUs && atUs < own.windowEndUs);
  expect(kept.length).toBeGreaterThan(5);
  expect(made.some(({ anomalous, slot }) => anomalous && slot === "shadow")).toBe(true);
  const asked = made.flatMap(({ device, windowStartUs, windowEndUs }) =>
    [windowStartUs, windowEndUs - 1].map((atUs) => ({ device, atUs })),
  );
  expect(asked.map(({ device, atUs }) => parts.state.isKept(device, atUs))).toEqual(
    asked.map(({ device, atUs }) => isKept(device, atUs)),
  );
  parts.close();
});
