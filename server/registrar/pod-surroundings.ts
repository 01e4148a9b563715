import type { Namespace } from "../k8s/objects/namespace.ts";
import type { Node } from "../k8s/objects/node.ts";
import type { Pod } from "../k8s/objects/pod.ts";
import type { OwnerLookup } from "./owner.ts";
import type { Service } from "./service.ts";

/** A pod with what is known around it. */
export interface PodSurroundings {
  readonly pod: Pod;
  /** Undefined while the pod has no node, or its node is not known yet. */
  readonly node: Node | undefined;
  /** Undefined while it is not known yet. */
  readonly namespace: Namespace | undefined;
  /** Services of the pod's namespace; undefined while they are not known. */
  readonly services: Iterable<Service> | undefined;
  readonly lookupOwner: OwnerLookup;
}
