import { afterEach } from "node:test";
import type { KubeCluster } from "../cluster/kube-cluster.ts";
import { system } from "./world.ts";

const parts = "app.kubernetes.io/name in (assay-server,assay-agent,assay-csi,assay-registrar)";

/** What is told of a cluster, by kubectl. The end of each part is kept: what happened last. */
const questions: readonly (readonly string[])[] = [
  ["get", "pods", "--all-namespaces", "--output", "wide"],
  ["get", "events", "--all-namespaces", "--sort-by", ".metadata.creationTimestamp"],
  [
    ...["logs", "--namespace", system, "--selector", parts, "--all-containers", "--prefix"],
    ...["--tail", "15", "--max-log-requests", "50"],
  ],
];
/** The runner keeps 20,000 characters of what a file prints. */
const keptCharacters = 5_500;

/**
 * For a suite of stories: when the first of them fails, prints what goes on in the cluster at that moment. Those after it fail
 * because of it as often as not, and would push it out of sight.
 */
export function explainFirstFailure(of: { readonly cluster: KubeCluster }): void {
  let told = false;
  afterEach(async (story) => {
    if (told || !("passed" in story) || story.passed) return;
    told = true;
    process.stderr.write(`${story.fullName} failed; the cluster then:\n`);
    for (const question of questions) {
      const answer = await ask(of, question);
      process.stderr.write(`$ kubectl ${question.join(" ")}\n${answer.slice(-keptCharacters)}\n`);
    }
  });
}

async function ask(
  of: { readonly cluster: KubeCluster },
  question: readonly string[],
): Promise<string> {
  try {
    return await of.cluster.kubectl([...question, "--request-timeout", "15s"]);
  } catch (error) {
    return String(error);
  }
}
