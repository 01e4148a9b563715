import type { MicroBench } from "../../test/bench/micro.ts";
import { authorizedEntry, selector } from "../../test/support/entries.ts";
import { AuthorizationState } from "./authorization-state.ts";

const count = 100_000;
const perAgent = 100;
const state = new AuthorizationState("spiffe://example.test/spire/server");
const agentOf = (n: number): string =>
  `spiffe://example.test/spire/agent/join_token/${Math.floor(n / perAgent)}`;
const entryOf = (n: number) =>
  authorizedEntry(`entry-${n}`, {
    parentId: agentOf(n),
    selectors: [selector(`k8s:ns:ns-${n % 500}`), selector(`k8s:sa:sa-${n}`)],
  });
for (let n = 0; n < count; n++) state.putEntry(entryOf(n));

let next = 0;
function nextEntry(): number {
  next = (next + 7_919) % count;
  return next;
}

export const benches: readonly MicroBench[] = [
  {
    name: "find an entry of an agent among 100,000",
    call: () => {
      const n = nextEntry();
      return state.find(agentOf(n), `entry-${n}`);
    },
  },
  { name: "all 100 entries of an agent", call: () => [...state.entriesOf(agentOf(nextEntry()))] },
  { name: "put an entry in place of itself", call: () => state.putEntry(entryOf(nextEntry())) },
];
