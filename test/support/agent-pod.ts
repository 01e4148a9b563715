import type { FakeKubeApi } from "../fakes/fake-kube-api.ts";

/** The token of the agent's pod in clusters that {@link addAgentPod} has prepared. */
export const AGENT_TOKEN = "eyJh.eyJz.c2ln";

/** Puts a node and the agent's pod on it into a cluster, which accepts the pod's token from then on. */
export function addAgentPod(api: FakeKubeApi): void {
  api.put("nodes", { metadata: { name: "node-1" } });
  api.put("pods", {
    metadata: { name: "agent-1", namespace: "assay-system" },
    spec: { nodeName: "node-1", serviceAccountName: "assay-agent" },
  });
  const claim = (name: string, value: string) => [`authentication.kubernetes.io/${name}`, [value]];
  api.tokens.set(AGENT_TOKEN, {
    authenticated: true,
    audiences: ["assay-server"],
    user: {
      username: "system:serviceaccount:assay-system:assay-agent",
      extra: Object.fromEntries([claim("pod-name", "agent-1"), claim("pod-uid", "uid-agent-1")]),
    },
  });
}
