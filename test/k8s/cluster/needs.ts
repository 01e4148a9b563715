import type { NeedName } from "../../support/requires.ts";

/** What a cluster of our own needs of the machine: `if (requires(...clusterNeeds)) ...`. */
export const clusterNeeds: readonly NeedName[] = [
  ...(["linux", "root", "mount", "unshare", "go"] as const),
  ...(["busybox", "ip", "nft", "seccomp"] as const),
];

/** A cluster of somebody else for the stories that any cluster can tell; the others are left out then. */
export const givenKubeconfig: string | undefined = process.env["ASSAY_TEST_KUBECONFIG"];
