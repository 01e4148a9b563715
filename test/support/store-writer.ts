// A process that writes into a store until it is killed, and prints the ID of each entry that it was answered for.
// Usage: node test/support/store-writer.ts STORE PREFIX

import { newEntry } from "./entries.ts";
import { openSqliteStore } from "./open-store.ts";

const [, , path = "", prefix = ""] = process.argv;
const WRITERS = 4;

await using store = await openSqliteStore(path);
process.stdout.write("open\n");
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));

async function write(writer: number): Promise<never> {
  for (let made = 0; ; made += 1) {
    const id = `${prefix}-${writer}-${made}`;
    const entries = [newEntry(id), newEntry(`${id}-twin`)];
    const { revision } = await store.write("createEntries", { entries, now: 1, actor: "test" });
    process.stdout.write(`${id} ${revision}\n`);
  }
}
