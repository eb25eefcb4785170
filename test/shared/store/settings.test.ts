import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { expect, test } from "vitest";

const paths = (input: unknown): string[] =>
  (storeSettingsSchema.safeParse(input).error?.issues ?? []).map((issue) => issue.path.join("."));

test("a bucket's name is all that S3 needs to be told", () => {
  expect(storeSettingsSchema.parse({ kind: "s3", bucket: "lake" })).toMatchObject({
    region: "us-east-1",
    prefix: "",
    forcePathStyle: true,
    timeoutMs: 60_000,
  });
  expect(storeSettingsSchema.parse({ kind: "folder", path: "./lake" })).toEqual({
    kind: "folder",
    path: "./lake",
  });
});

test.each([
  [{ kind: "ftp" }, "kind"],
  [{ kind: "folder" }, "path"],
  [{ kind: "folder", path: "" }, "path"],
  [{ kind: "folder", path: "x", bucket: "b" }, ""],
  [{ kind: "s3" }, "bucket"],
  [{ kind: "s3", bucket: "b", endpoint: "localhost:9000" }, "endpoint"],
  [{ kind: "s3", bucket: "b", endpoint: "ftp://host" }, "endpoint"],
  [{ kind: "s3", bucket: "b", prefix: "/absolute" }, "prefix"],
  [{ kind: "s3", bucket: "b", prefix: "a/../b" }, "prefix"],
  [{ kind: "s3", bucket: "b", timeoutMs: 1 }, "timeoutMs"],
  [{ kind: "s3", bucket: "b", accessKeyId: "a" }, "secretAccessKey"],
  [{ kind: "s3", bucket: "b", secretAccessKey: "a" }, "accessKeyId"],
])("the settings %j are refused at %s", (input, path) => {
  expect(paths(input)).toEqual([path]);
});
