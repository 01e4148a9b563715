import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { KubeClient } from "../k8s/kube-client.ts";
import { CLUSTER_NAMESPACE, parseNamespace } from "../k8s/objects/namespace.ts";
import { NAMESPACES } from "../k8s/resources.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import type { RegistrarTerm } from "./registrar-term.ts";

/** What verification needs. */
export interface VerificationDeps {
  readonly cluster: { readonly client: Pick<KubeClient, "get"> };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** After every list asks whose cluster it was, before anything is written by it. */
export async function runVerification(
  { cluster, clock, random, log }: VerificationDeps,
  term: RegistrarTerm,
  { clusterUid }: RegistrarRules,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ baseMs: 100, maxMs: 10_000, random });
  let doubts = 0;
  let wake = (): void => {};
  term.onDoubt = () => {
    doubts += 1;
    wake();
  };
  signal.addEventListener("abort", () => wake());
  let settled = 0;
  while (!signal.aborted) {
    if (settled === doubts) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
      continue;
    }
    const asked = doubts;
    try {
      const ref = { name: CLUSTER_NAMESPACE };
      const found = await cluster.client.get(NAMESPACES, ref, parseNamespace, signal);
      if (found.uid !== clusterUid) term.distrust(clusterUid, found.uid);
      // What was listed after the question is asked about again.
      settled = asked;
      if (settled === doubts) term.trust();
      backoff.reset();
    } catch (err) {
      if (signal.aborted) return;
      log.debug({ reason: describeError(err) }, "Could not ask which cluster it is");
      await clock.sleep(backoff.nextMs(), signal);
    }
  }
}
