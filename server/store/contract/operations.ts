import type { AuthorityReads, AuthorityWrites } from "./authorities.ts";
import type { BundleReads, BundleWrites } from "./bundles.ts";
import type { ClusterReads, ClusterWrites } from "./clusters.ts";
import type { EntryReads, EntryWrites } from "./entries.ts";
import type { JoinTokenReads, JoinTokenWrites } from "./join-tokens.ts";
import type { MaintenanceReads, MaintenanceWrites } from "./maintenance.ts";
import type { NodeReads, NodeWrites } from "./nodes.ts";

/** Every operation that may change the store, by name. */
export interface WriteOperations
  extends EntryWrites,
    NodeWrites,
    JoinTokenWrites,
    BundleWrites,
    AuthorityWrites,
    ClusterWrites,
    MaintenanceWrites {}

/** Every query, by name. */
export interface ReadOperations
  extends EntryReads,
    NodeReads,
    JoinTokenReads,
    BundleReads,
    AuthorityReads,
    ClusterReads,
    MaintenanceReads {}
