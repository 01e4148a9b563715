import { selectorKeys } from "../../proto/selector.ts";
import type { MicroBench } from "../../test/bench/micro.ts";
import { cachedEntry } from "../../test/support/cached-entries.ts";
import { EntryIndex, grants } from "./entry-index.ts";

const count = 1_000;
const index = new EntryIndex();
const entryOf = (n: number) => cachedEntry(`entry-${n}`, [`uid:${n}`, `gid:${n % 10}`]);
for (let n = 0; n < count; n++) index.put(entryOf(n));
const entry = entryOf(1);
const caller = ["uid:1", "user:web", "gid:1", "group:web", "supplementary_gid:5"].map((value) => ({
  type: "unix",
  value,
}));
const keys = selectorKeys(caller);

export const benches: readonly MicroBench[] = [
  { name: "entries of a caller among 1,000", call: () => index.matching(caller) },
  { name: "compare a caller with an entry", call: () => grants(entry, keys) },
  { name: "find an entry by its ID", call: () => index.get("entry-500") },
  { name: "put an entry in place of itself", call: () => index.put(entryOf(500)) },
];
