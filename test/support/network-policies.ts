// What NetworkPolicies allow, computed from the objects as a plugin would, since no plugin runs on every machine.

import type { Manifest } from "./helm.ts";

/** One end of a connection: a pod, or an address outside of the cluster. */
export type Peer = PodPeer | "outside";

/** A pod as policies see it. */
export interface PodPeer {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Ports by name. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** A connection that a client opens. */
export interface Edge {
  readonly from: Peer;
  readonly to: Peer;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
}

interface PolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: object;
}

interface Rule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly { readonly port?: number | string; readonly protocol?: string }[];
}

/** Whether the policies of both ends let a connection through. A pod that no policy selects is open. */
export function isAllowed(policies: readonly Manifest[], edge: Edge): boolean {
  return isOpen(policies, edge, "Egress") && isOpen(policies, edge, "Ingress");
}

function isOpen(
  policies: readonly Manifest[],
  { from, to, port, protocol }: Edge,
  direction: "Egress" | "Ingress",
): boolean {
  const [own, other] = direction === "Egress" ? [from, to] : [to, from];
  if (own === "outside") return true;
  const selecting = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === own.namespace &&
      spec.policyTypes.includes(direction) &&
      selects(spec.podSelector, own.labels),
  );
  if (selecting.length === 0) return true;
  return selecting.some(({ metadata, spec }) => {
    const rules: readonly Rule[] = spec[direction.toLowerCase()] ?? [];
    return rules.some((rule) => {
      const peers = direction === "Egress" ? rule.to : rule.from;
      const isPeer =
        peers === undefined ||
        peers.length === 0 ||
        peers.some((peer) => matches(peer, other, metadata.namespace ?? ""));
      const isPort =
        rule.ports === undefined ||
        rule.ports.length === 0 ||
        rule.ports.some(
          (each) =>
            (each.protocol ?? "TCP") === protocol &&
            (each.port === undefined || numberOf(each.port, to) === port),
        );
      return isPeer && isPort;
    });
  });
}

function matches(peer: PolicyPeer, other: Peer, ownNamespace: string): boolean {
  // Blocks of addresses are not computed, and no policy of ours has any.
  if (other === "outside" || peer.ipBlock !== undefined) return false;
  const isNamespace =
    peer.namespaceSelector === undefined
      ? other.namespace === ownNamespace
      : selects(peer.namespaceSelector, { "kubernetes.io/metadata.name": other.namespace });
  return isNamespace && selects(peer.podSelector ?? {}, other.labels);
}

function selects({ matchLabels = {} }: LabelSelector, labels: PodPeer["labels"]): boolean {
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}

/** A name is that of a port of the pod that is called. */
function numberOf(port: number | string, to: Peer): number | undefined {
  if (typeof port === "number") return port;
  return to === "outside" ? undefined : to.ports?.[port];
}
