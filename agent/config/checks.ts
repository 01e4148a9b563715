/** A problem between fields. */
export interface RelationProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** What of the configuration the relations are about. */
interface Related {
  readonly workloadSocket: { readonly path: string; readonly holder?: string | undefined };
  readonly adminSocket: { readonly path: string };
  readonly state: { readonly path: string };
  readonly trustDomain: string;
  readonly delegation: { readonly delegates: readonly string[] };
  readonly broker: {
    readonly brokers: readonly string[];
    readonly socket: { readonly path: string };
  };
  readonly waitForIdentity: number;
  readonly workloadAttestors: {
    readonly k8s?: { readonly podToken: { readonly mode: string } } | undefined;
  };
}

/** A longer wait would run into the deadlines of ordinary clients. */
const MAX_WAIT_FOR_IDENTITY_MS = 10_000;

/** Checks what single fields cannot tell. */
export function checkRelations(config: Related): readonly RelationProblem[] {
  const problems: RelationProblem[] = [];
  const { workloadSocket, adminSocket, state, waitForIdentity } = config;
  if (workloadSocket.path === adminSocket.path) {
    problems.push({
      path: ["adminSocket", "path"],
      message: "expected another path than workloadSocket.path",
    });
  }
  if ([workloadSocket.path, adminSocket.path].includes(workloadSocket.holder ?? "")) {
    problems.push({
      path: ["workloadSocket", "holder"],
      message: "expected another path than a socket of the agent's",
    });
  }
  if (
    config.workloadAttestors.k8s?.podToken.mode === "fallback" &&
    workloadSocket.holder === undefined
  ) {
    problems.push({
      path: ["workloadAttestors", "k8s", "podToken", "mode"],
      message: "expected workloadSocket.holder too: sockets of pods come from it",
    });
  }
  if (state.path === workloadSocket.path || state.path === adminSocket.path) {
    problems.push({ path: ["state", "path"], message: "expected another path than a socket's" });
  }
  if (waitForIdentity > MAX_WAIT_FOR_IDENTITY_MS) {
    problems.push({ path: ["waitForIdentity"], message: "expected at most 10s" });
  }
  return [...problems, ...checkDelegation(config)];
}

function checkDelegation(config: Related): readonly RelationProblem[] {
  const { trustDomain, delegation, broker, workloadSocket, adminSocket, state } = config;
  const isForeign = (id: string): boolean => !id.startsWith(`spiffe://${trustDomain}/`);
  const message = "expected SPIFFE IDs of this trust domain";
  const problems: RelationProblem[] = [];
  if (delegation.delegates.some(isForeign)) {
    problems.push({ path: ["delegation", "delegates"], message });
  }
  if (broker.brokers.some(isForeign)) problems.push({ path: ["broker", "brokers"], message });
  if ([workloadSocket.path, adminSocket.path, state.path].includes(broker.socket.path)) {
    problems.push({
      path: ["broker", "socket", "path"],
      message: "expected another path than the agent's other sockets and its state",
    });
  }
  return problems;
}
