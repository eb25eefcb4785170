import { sampleYaml } from "@sluice/shared/runtime/settings-sample.ts";
import { expect, test } from "vitest";
import { parse } from "yaml";

const SCHEMA = {
  properties: {
    name: { type: "string", description: "Who it is.", examples: ["site-1"] },
    port: { type: "integer", description: "Where it listens.", default: 1883, minimum: 0, maximum: 65_535 },
    level: { enum: ["debug", "info"], description: "What is logged.", default: "info" },
    lake: {
      description: "Where the rows go.",
      oneOf: [
        {
          properties: { kind: { const: "folder" }, path: { type: "string", examples: ["./lake"] } },
          required: ["kind", "path"],
        },
        { properties: { kind: { const: "s3" } }, required: ["kind"] },
      ],
    },
    client: { description: "Another broker.", properties: { url: { type: "string" } }, required: ["url"] },
  },
  required: ["name", "lake"],
};

test("what is required is live and what is optional is commented out, so that a sample can be used as it is", () => {
  expect(parse(sampleYaml(SCHEMA))).toEqual({ name: "site-1", lake: { kind: "folder", path: "./lake" } });
});

test("every setting is there with its sentence, its default and what is allowed", () => {
  const sample = sampleYaml(SCHEMA);
  expect(sample).toContain("# Where it listens. From 0 to 65535.\n# port: 1883\n");
  expect(sample).toContain('# What is logged. One of: debug, info.\n# level: "info"\n');
});

test("a section that cannot stand without an answer is commented out as a whole", () => {
  expect(sampleYaml(SCHEMA)).toContain("# Another broker.\n# client:\n  # url: ");
});
