// One of the processes that hold the agents of a crowd. Started by Crowd, which tells it what to do over its channel.

import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { eventually } from "../support/eventually.ts";
import type { CrowdOrder, CrowdState, CrowdTask } from "./crowd-messages.ts";
import { SyncedAgent } from "./synced-agent.ts";

/** How many attest at a time. */
const attesting = 8;
const reportMs = 10;

const agents: { readonly agent: SyncedAgent; streams: number; bundles: number }[] = [];
let last = "";

function state(): CrowdState {
  let [ready, back, informed, refusals] = [0, 0, 0, 0];
  for (const { agent, streams, bundles } of agents) {
    if (agent.streams > 0) ready += 1;
    if (agent.streams > streams) back += 1;
    if (agent.bundles > bundles) informed += 1;
    refusals += agent.refusals;
  }
  return { ready, back, informed, refusals };
}

function report(): void {
  const now = state();
  const text = JSON.stringify(now);
  if (text !== last) process.send?.(now);
  last = text;
}

async function grow({ adminSocket, address, trustDomain, count }: CrowdTask): Promise<void> {
  const channel = openChannel({ target: `unix:${adminSocket}` });
  const admin = { client: (service) => createClient(service, channel) } satisfies {
    client: BareAgent["client"];
  };
  const { signal } = new AbortController();
  const places = Array.from({ length: count }).values();
  const attestSome = async (): Promise<void> => {
    for (const _ of places) {
      // A server that has more to do than it can answers late: an agent comes again then.
      const attest = () => BareAgent.attest({ admin, address, trustDomain, signal });
      const agent = new SyncedAgent(await eventually("an agent", attest, { timeoutMs: 60_000 }));
      agents.push({ agent, streams: 0, bundles: 0 });
    }
  };
  await Promise.all(Array.from({ length: attesting }, attestSome));
  channel.close();
}

process.on("message", (order: CrowdOrder) => {
  if (order.kind === "mark") {
    for (const each of agents) {
      each.streams = each.agent.streams;
      each.bundles = each.agent.bundles;
    }
    // Whatever it was before, it is told: whoever set the mark waits for it.
    last = "";
    report();
  } else {
    grow(order).catch((error: unknown) => {
      process.stderr.write(`bench: attesting agents: ${error}\n`);
      process.exit(1);
    });
  }
});
process.on("disconnect", () => process.exit(0));
setInterval(report, reportMs);
