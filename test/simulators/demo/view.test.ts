import { assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { freshStory, STEPS } from "../../../simulators/demo/story.ts";
import { type Frame, renderFrame } from "../../../simulators/demo/view.ts";

const frame: Frame = {
  state: { ...freshStory, done: STEPS.slice(0, 7).map(({ id }) => id) },
  seen: {
    gateway: undefined,
    cloud: {
      tables: [],
      champion: 1,
      activity: "training on 330 vectors",
      progress: 0.5,
      attempts: [
        {
          attempt: 1,
          trigger: "first_model",
          decision: "promote",
          version: 1,
          reasons: [],
          table: Array.from({ length: 25 }, (_, i) => `row ${i}`).join("\n"),
        },
      ],
      problems: [],
    },
    pumps: Array.from({ length: 6 }, (_, i) => ({ device: `pump-${i}`, score: 9, threshold: 1, version: 1 })),
    alerts: [{ device: "pump-3", state: "raised", text: "pump-3 is anomalous ".repeat(10), windowEnd: "" }],
  },
  elapsedS: 61,
  places: ["MQTT here", "status there"],
  note: "a note",
  widthChars: 120,
  heightRows: 100,
};

// oxlint-disable-next-line no-control-regex -- colour codes begin with the escape character
const plain = (line: string): string => line.replaceAll(/\u001b\[\d+m/g, "");

test("a picture never has more lines than the terminal, nor longer ones", () => {
  assert(
    property(integer({ min: 1, max: 80 }), integer({ min: 1, max: 200 }), (heightRows, widthChars) => {
      const lines = renderFrame({ ...frame, heightRows, widthChars });
      expect(lines.length).toBeLessThan(heightRows);
      for (const line of lines) expect(plain(line).length).toBeLessThanOrEqual(widthChars);
    }),
  );
});

test("a low terminal keeps the current step, the beginning of the verdict and the news", () => {
  const text = renderFrame({ ...frame, heightRows: 24 })
    .map(plain)
    .join("\n");
  expect(text).toContain(`▸ ${STEPS[7]?.text}`);
  expect(text).toContain("Verdict of attempt 1 (first model): promote: version 1");
  expect(text).toContain("row 0");
  expect(text).toContain("a note");
  expect(text).toContain("Ctrl-C");
});

test("a high terminal shows everything", () => {
  const text = renderFrame(frame).map(plain).join("\n");
  for (const part of ["MQTT here", "pump-5", STEPS[0].text, "row 24", "1:01"]) expect(text).toContain(part);
});
