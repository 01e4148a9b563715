import type { ControlPlane } from "../cluster/control-plane.ts";

/** What stories on a control plane without nodes share. */
export interface PlaneStory {
  readonly plane: ControlPlane;
  /** How a server of ours reaches it: with the rights of the chart. */
  readonly kubeconfigPath: string;
}
