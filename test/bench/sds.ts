import { registerWorkload } from "../../deploy/local/user-entry.ts";
import { SecretDiscoveryService } from "../../proto/gen/envoy/service/secret/v3/sds_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import type { Bench } from "./bench.ts";
import { memoryFigures, memoryOf } from "./process-usage.ts";

const streamsPerConnection = 10;

/** What the agent takes for open SDS streams of one caller, each with a certificate and a bundle. */
export async function benchSds(bench: Bench): Promise<void> {
  const { machine, count = 450 } = bench;
  const agent = await bench.agent();
  const selectors = [`unix:uid:${process.getuid?.()}`];
  await registerWorkload(machine, { path: "/bench/sds", selectors }, bench.signal);
  const print = async (title: string): Promise<void> => {
    bench.report(`sds, ${title}`, memoryFigures(await memoryOf(agent.child.pid)));
  };
  await print("agent without streams");
  using stack = new DisposableStack();
  const over = new AbortController();
  stack.defer(() => over.abort());
  const signal = AbortSignal.any([bench.signal, over.signal]);
  const firsts: Promise<unknown>[] = [];
  for (let index = 0; index < count; index += streamsPerConnection) {
    const channel = openChannel({ target: `unix:${agent.workloadSocket}` });
    stack.defer(() => channel.close());
    const api = createClient(SecretDiscoveryService, channel);
    for (let i = index; i < Math.min(count, index + streamsPerConnection); i++) {
      const answers = api.streamSecrets(wish(signal), { signal });
      firsts.push(answers[Symbol.asyncIterator]().next());
    }
  }
  await Promise.all(firsts);
  await print(`agent with ${count} streams`);
}

async function* wish(signal: AbortSignal) {
  yield { resourceNames: ["default", "ROOTCA"] };
  // The stream lasts as long as its requests.
  await untilAborted(new Promise<never>(() => {}), signal);
}
