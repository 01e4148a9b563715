import type { AuthorityReads, AuthorityWrites } from "./authorities.ts";
import type { BundleReads, BundleWrites } from "./bundles.ts";
import type { ClusterReads, ClusterWrites } from "./clusters.ts";
import type { EntryReads, EntryWrites } from "./entries.ts";
import type { JoinTokenReads, JoinTokenWrites } from "./join-tokens.ts";
import type { MaintenanceReads, MaintenanceWrites } from "./maintenance.ts";
import type { NodeReads, NodeWrites } from "./nodes.ts";
import type { RelationshipReads, RelationshipWrites } from "./relationships.ts";

/** Every operation that may change the store, by name. */
export interface WriteOperations
  extends EntryWrites,
    NodeWrites,
    JoinTokenWrites,
    BundleWrites,
    RelationshipWrites,
    AuthorityWrites,
    ClusterWrites,
    MaintenanceWrites {}

/** Every query, by name. */
export interface ReadOperations
  extends EntryReads,
    NodeReads,
    JoinTokenReads,
    BundleReads,
    RelationshipReads,
    AuthorityReads,
    ClusterReads,
    MaintenanceReads {}
