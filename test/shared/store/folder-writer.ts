// A process that creates the same objects as its siblings, and prints which of them it won, as a line of JSON.
import { FolderStore } from "@sluice/shared/store/folder.ts";

const [root = "", name = "", count = "0"] = process.argv.slice(2);
const store = new FolderStore(root);
const won: string[] = [];
for (let i = 0; i < Number(count); i++) {
  const key = `landing/part=${i % 3}/${i}`;
  const result = await store.put(key, Buffer.from(name), { ifAbsent: true, metadata: { writer: name } });
  if (result === "created") won.push(key);
}
console.log(JSON.stringify(won));
