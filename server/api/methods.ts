import type { DescService } from "@bufbuild/protobuf";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { AgentSync } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Debug } from "../../proto/gen/spire/api/server/debug/v1/debug_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { Logger } from "../../proto/gen/spire/api/server/logger/v1/logger_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { TrustDomain } from "../../proto/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts";
import type { LimitClass } from "../config/limits.ts";
import { ROLES, type Role } from "../config/roles.ts";

/** Who may call: anyone at all, an agent in good standing, a nested server, or whoever has the role. */
export type Allowed = "anyone" | "agent" | "downstream" | Role;

/** What holds for every call of one method. */
export interface MethodPolicy {
  readonly allow: readonly Allowed[];
  /** The bucket that a call is counted in. */
  readonly limit: LimitClass;
  /** Whether each call, granted or refused, makes an audit record of its own. Issuing is recorded where it is signed. */
  readonly audited: boolean;
}

/** One row per method of a service; a method without a row does not compile. */
type Rows<S extends DescService> = { readonly [M in keyof S["method"]]: MethodPolicy };

const READERS = ROLES;

const read = (...allow: readonly Allowed[]): MethodPolicy => ({
  allow: allow.length === 0 ? READERS : allow,
  limit: "read",
  audited: false,
});
const change = (...allow: readonly Allowed[]): MethodPolicy => ({
  allow,
  limit: "write",
  audited: true,
});
const by = (limit: LimitClass, ...allow: readonly Allowed[]): MethodPolicy => ({
  allow,
  limit,
  audited: false,
});

const agent: Rows<typeof Agent> = {
  countAgents: read(),
  listAgents: read(),
  getAgent: read(),
  deleteAgent: change("operator", "revoker"),
  banAgent: change("operator", "revoker"),
  createJoinToken: change("operator"),
  attestAgent: by("attest", "anyone"),
  renewAgent: by("renew", "agent"),
  postStatus: by("status", "agent"),
};

const entry: Rows<typeof Entry> = {
  countEntries: read(),
  listEntries: read(),
  getEntry: read(),
  batchCreateEntry: change("registrar"),
  batchUpdateEntry: change("registrar"),
  batchDeleteEntry: change("registrar"),
  getAuthorizedEntries: by("sync", "agent"),
  syncAuthorizedEntries: by("sync", "agent"),
};

const svid: Rows<typeof SVID> = {
  mintX509SVID: by("mint", "minter"),
  mintJWTSVID: by("mint", "minter"),
  mintWITSVID: by("mint", "minter"),
  batchNewX509SVID: by("sign_x509", "agent"),
  newJWTSVID: by("sign_jwt", "agent"),
  batchNewWITSVID: by("sign_jwt", "agent"),
  newDownstreamX509CA: by("sign_x509", "downstream"),
};

const bundle: Rows<typeof Bundle> = {
  countBundles: read(),
  getBundle: read("anyone"),
  appendBundle: change("key-admin"),
  publishJWTAuthority: change("downstream"),
  publishWITAuthority: change("downstream"),
  listFederatedBundles: read(),
  getFederatedBundle: read("agent", ...READERS),
  batchCreateFederatedBundle: change("operator"),
  batchUpdateFederatedBundle: change("operator"),
  batchSetFederatedBundle: change("operator"),
  batchDeleteFederatedBundle: change("operator"),
};

const trustDomain: Rows<typeof TrustDomain> = {
  listFederationRelationships: read(),
  getFederationRelationship: read(),
  batchCreateFederationRelationship: change("operator"),
  batchUpdateFederationRelationship: change("operator"),
  batchDeleteFederationRelationship: change("operator"),
  refreshBundle: change("operator"),
};

const localAuthority: Rows<typeof LocalAuthority> = {
  getX509AuthorityState: read(),
  prepareX509Authority: change("key-admin"),
  activateX509Authority: change("key-admin"),
  taintX509Authority: change("key-admin", "revoker"),
  revokeX509Authority: change("key-admin", "revoker"),
  taintX509UpstreamAuthority: change("key-admin", "revoker"),
  revokeX509UpstreamAuthority: change("key-admin", "revoker"),
  getJWTAuthorityState: read(),
  prepareJWTAuthority: change("key-admin"),
  activateJWTAuthority: change("key-admin"),
  taintJWTAuthority: change("key-admin", "revoker"),
  revokeJWTAuthority: change("key-admin", "revoker"),
  getWITAuthorityState: read(),
  prepareWITAuthority: change("key-admin"),
  activateWITAuthority: change("key-admin"),
  taintWITAuthority: change("key-admin", "revoker"),
  revokeWITAuthority: change("key-admin", "revoker"),
};

const logger: Rows<typeof Logger> = {
  getLogger: read(),
  setLogLevel: change("operator"),
  resetLogLevel: change("operator"),
};

const debug: Rows<typeof Debug> = {
  getInfo: read(),
};

const health: Rows<typeof Health> = {
  check: read("anyone"),
  list: read("anyone"),
  watch: read("anyone"),
};

const admin: Rows<typeof Admin> = {
  batchCreateEntry: change("registrar"),
  batchUpdateEntry: change("registrar"),
  batchDeleteEntry: change("registrar"),
  listEntries: read(),
  watchRollout: read(),
  explain: read(),
  checkAccess: read(),
  backup: change("operator"),
  reload: change("operator"),
  listAudit: read("auditor"),
  verifyAudit: read("auditor"),
};

const agentSync: Rows<typeof AgentSync> = {
  sync: by("sync", "agent"),
};

/** Every service that the server offers, with its rows. */
const SERVICES: readonly (readonly [DescService, Readonly<Record<string, MethodPolicy>>])[] = [
  [Agent, agent],
  [Entry, entry],
  [SVID, svid],
  [Bundle, bundle],
  [TrustDomain, trustDomain],
  [LocalAuthority, localAuthority],
  [Logger, logger],
  [Debug, debug],
  [Health, health],
  [Admin, admin],
  [AgentSync, agentSync],
];

/** The policy of each method by its full name, such as "/spire.api.server.entry.v1.Entry/GetEntry". */
export const METHOD_POLICIES: ReadonlyMap<string, MethodPolicy> = new Map(
  SERVICES.flatMap(([service, rows]) =>
    service.methods.flatMap((method): [string, MethodPolicy][] => {
      const policy = rows[method.localName];
      return policy === undefined ? [] : [[`/${service.typeName}/${method.name}`, policy]];
    }),
  ),
);
