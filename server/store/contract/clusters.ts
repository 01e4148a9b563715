import type { ClusterRecord } from "../records.ts";
import type { Operation } from "./operation.ts";

/** A cluster to be kept. */
export type NewCluster = Omit<ClusterRecord, "createdAt" | "createdBy"> & {
  readonly now: number;
  readonly actor: string;
};

export interface ClusterWrites {
  /** ALREADY_EXISTS when there is one of that name. */
  addCluster: Operation<NewCluster, ClusterRecord>;
  /** NOT_FOUND. Answers with the cluster as it was. */
  removeCluster: Operation<{ readonly name: string }, ClusterRecord>;
}

export interface ClusterReads {
  /** By name. Holds credentials. */
  listClusters: Operation<Record<string, never>, readonly ClusterRecord[]>;
}
