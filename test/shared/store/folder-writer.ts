// A process that creates the same objects as its siblings, and prints the key of each that it won, a line each, as
// soon as the store says so. The body is the writer's name, repeated; the metadata names the writer.
import { FolderStore } from "@sluice/shared/store/folder.ts";

const [root = "", name = "", count = "0", repeats = "1"] = process.argv.slice(2);
const store = new FolderStore(root);
for (let i = 0; i < Number(count); i++) {
  const key = `landing/part=${i % 3}/${i}`;
  const body = Buffer.from(name.repeat(Number(repeats)));
  const result = await store.put(key, body, { ifAbsent: true, metadata: { writer: name } });
  if (result === "created") console.log(key);
}
