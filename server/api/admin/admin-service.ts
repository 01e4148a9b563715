/** assay.admin.v1.Admin, put together from the files that hold its calls. */
import { Admin } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { type Registration, service } from "../../../runtime/rpc/service.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { LocalAuthority } from "../../ca/local-authority.ts";
import type { Store } from "../../store/store.ts";
import type { Caller } from "../caller.ts";
import { type AdminAccessDeps, adminAccess } from "./admin-access.ts";
import { type AdminAuditDeps, adminAudit } from "./admin-audit.ts";
import { adminAuthorities } from "./admin-authorities.ts";
import { adminBackup } from "./admin-backup.ts";
import { type AdminClustersDeps, adminClusters } from "./admin-clusters.ts";
import { type AdminEntriesDeps, adminEntries } from "./admin-entries.ts";
import { type AdminExplainDeps, adminExplain } from "./admin-explain.ts";
import { type AdminFederationDeps, adminFederation } from "./admin-federation.ts";
import { adminRegistrars } from "./admin-registrars.ts";
import { adminReload, type Reload } from "./admin-reload.ts";
import { type AdminRolloutDeps, adminRollout } from "./admin-rollout.ts";

/** What the calls need. */
export interface AdminServiceDeps {
  readonly entries: AdminEntriesDeps;
  readonly access: AdminAccessDeps;
  readonly audit: AdminAuditDeps;
  readonly rollout: AdminRolloutDeps;
  readonly explain: AdminExplainDeps;
  readonly clusters: AdminClustersDeps;
  readonly federation: AdminFederationDeps;
  readonly authorities: LocalAuthority;
  readonly store: Pick<Store, "backup">;
  readonly reload: Reload;
  readonly clock: Clock;
}

export function adminService(deps: AdminServiceDeps): Registration<Caller> {
  return service<typeof Admin, Caller>(Admin, {
    ...adminEntries(deps.entries),
    ...adminAccess(deps.access),
    ...adminAudit(deps.audit),
    ...adminRollout(deps.rollout),
    ...adminExplain(deps.explain),
    ...adminBackup(deps.store),
    ...adminReload(deps.reload),
    ...adminRegistrars(deps),
    ...adminClusters(deps.clusters),
    ...adminFederation(deps.federation),
    ...adminAuthorities(deps.authorities),
  });
}
