import { expect, test } from "vitest";
import { SqliteImage } from "../../../../edge/buffer/tools/sqlite-image.ts";
import { readPayload } from "../../../../edge/buffer/tools/sqlite-tree.ts";
import { makeBuffer } from "./fixtures.ts";

test("a damaged length takes no memory that the chain of pages does not fill", () => {
  const image = { pageBytes: 4_096, pageCountMax: 2 ** 40 };
  const page = Buffer.alloc(4_096);
  page.writeUInt32BE(7, 489 + 100); // Wherever it says that it goes on,
  const asked: number[] = [];
  const payload = readPayload(image, {
    page,
    at: 100,
    bytes: 2 ** 50, // and however long it says that it is,
    isTable: true,
    next: (number) => void asked.push(number), // there is nothing.
  });
  expect(payload).toBeUndefined();
  expect(asked).toHaveLength(1);
});

test("there is no page 0, so that a chain ends where it says so", () => {
  const image = new SqliteImage(`${makeBuffer()}/state.db`);
  expect(image.anyPage(0)).toBeUndefined();
  expect(image.anyPage(1)?.length).toBe(4_096);
  image.close();
});
