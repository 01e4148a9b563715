import type { DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import type { AuditAction, AuditItem } from "../../proto/audit/v1/record.ts";
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
import type { Entry as WireEntry } from "../../proto/gen/spire/api/types/entry_pb.ts";
import type { SPIFFEID } from "../../proto/gen/spire/api/types/spiffeid_pb.ts";
import type { LimitClass } from "../config/limits.ts";
import { ROLES, type Role } from "../config/roles.ts";

/** Who may call: anyone at all, an agent in good standing or one whose SVID has run out, a nested server, or whoever has the role. */
export type Allowed = "anyone" | "agent" | "lapsed_agent" | "downstream" | Role;

/** How each call of a method, granted or refused, is recorded. Issuing is recorded where it is signed. */
export interface AuditRule<Request = never> {
  readonly action: AuditAction;
  /** What the call is about, when that is one thing. */
  readonly resource?: (request: Request) => string;
  /** What the call is about, when it is a batch: one element each. */
  readonly items?: (request: Request) => readonly AuditItem[];
  /** True where the change itself is recorded closer to where it is made; then only refusals are recorded here. */
  readonly isRecordedWithin?: boolean;
}

/** What holds for every call of one method. */
export interface MethodPolicy<Request = never> {
  readonly allow: readonly Allowed[];
  /** The bucket that a call is counted in. */
  readonly limit: LimitClass;
  /** How much a call takes out of the bucket; 1 unless given. */
  readonly cost?: (request: Request) => number;
  /** Present for methods that change something. */
  readonly audit?: AuditRule<Request>;
}

/** One row per method of a service; a method without a row does not compile. */
type Rows<S extends DescService> = {
  readonly [M in keyof S["method"]]: MethodPolicy<RequestOf<S["method"][M]>>;
};

type RequestOf<M extends DescMethod> = MessageShape<M["input"]>;

const READERS = ROLES;

const read = (...allow: readonly Allowed[]): MethodPolicy<unknown> => ({
  allow: allow.length === 0 ? READERS : allow,
  limit: "read",
});
const change = <Request>(
  audit: AuditRule<Request>,
  ...allow: readonly Allowed[]
): MethodPolicy<Request> => ({ allow, limit: "write", audit });
const by = (limit: LimitClass, ...allow: readonly Allowed[]): MethodPolicy<unknown> => ({
  allow,
  limit,
});

const idText = (id: SPIFFEID | undefined): string =>
  id === undefined ? "" : `spiffe://${id.trustDomain}${id.path}`;
const about = (resources: readonly string[]): readonly AuditItem[] =>
  resources.map((resource) => ({ resource }));
const entryNames = (entries: readonly (WireEntry | undefined)[]): readonly AuditItem[] =>
  about(entries.map((entry) => entry?.id || idText(entry?.spiffeId)));

const agent: Rows<typeof Agent> = {
  countAgents: read(),
  listAgents: read(),
  getAgent: read(),
  deleteAgent: change(
    { action: "agent.evict", resource: ({ id }) => idText(id) },
    "operator",
    "revoker",
  ),
  banAgent: change(
    { action: "agent.ban", resource: ({ id }) => idText(id) },
    "operator",
    "revoker",
  ),
  createJoinToken: change(
    { action: "join_token.create", resource: ({ agentId }) => idText(agentId) },
    "operator",
  ),
  attestAgent: by("attest", "anyone"),
  renewAgent: by("renew", "agent", "lapsed_agent"),
  postStatus: by("status", "agent"),
};

const entry: Rows<typeof Entry> = {
  countEntries: read(),
  listEntries: read(),
  getEntry: read(),
  batchCreateEntry: change(
    { action: "entry.create", items: ({ entries }) => entryNames(entries) },
    "registrar",
  ),
  batchUpdateEntry: change(
    { action: "entry.update", items: ({ entries }) => entryNames(entries) },
    "registrar",
  ),
  batchDeleteEntry: change({ action: "entry.delete", items: ({ ids }) => about(ids) }, "registrar"),
  getAuthorizedEntries: by("sync", "agent"),
  syncAuthorizedEntries: by("sync", "agent"),
};

const svid: Rows<typeof SVID> = {
  mintX509SVID: by("mint", "minter"),
  mintJWTSVID: by("mint", "minter"),
  mintWITSVID: by("mint", "minter"),
  batchNewX509SVID: { ...by("sign_x509", "agent"), cost: ({ params }) => params.length },
  newJWTSVID: by("sign_jwt", "agent"),
  batchNewWITSVID: { ...by("sign_jwt", "agent"), cost: ({ params }) => params.length },
  newDownstreamX509CA: by("sign_x509", "downstream"),
};

const bundle: Rows<typeof Bundle> = {
  countBundles: read(),
  getBundle: read("anyone"),
  appendBundle: change({ action: "bundle.append" }, "key-admin"),
  publishJWTAuthority: change({ action: "bundle.publish_jwt_authority" }, "downstream"),
  publishWITAuthority: change({ action: "bundle.publish_wit_authority" }, "downstream"),
  listFederatedBundles: read(),
  getFederatedBundle: read("agent", ...READERS),
  batchCreateFederatedBundle: change(
    {
      action: "federated_bundle.create",
      items: ({ bundle }) => about(bundle.map(({ trustDomain }) => trustDomain)),
    },
    "operator",
  ),
  batchUpdateFederatedBundle: change(
    {
      action: "federated_bundle.update",
      items: ({ bundle }) => about(bundle.map(({ trustDomain }) => trustDomain)),
    },
    "operator",
  ),
  batchSetFederatedBundle: change(
    {
      action: "federated_bundle.set",
      items: ({ bundle }) => about(bundle.map(({ trustDomain }) => trustDomain)),
    },
    "operator",
  ),
  batchDeleteFederatedBundle: change(
    { action: "federated_bundle.delete", items: ({ trustDomains }) => about(trustDomains) },
    "operator",
  ),
};

const trustDomain: Rows<typeof TrustDomain> = {
  listFederationRelationships: read(),
  getFederationRelationship: read(),
  batchCreateFederationRelationship: change(
    {
      action: "federation.create",
      items: ({ federationRelationships }) =>
        about(federationRelationships.map(({ trustDomain }) => trustDomain)),
    },
    "operator",
    "federator",
  ),
  batchUpdateFederationRelationship: change(
    {
      action: "federation.update",
      items: ({ federationRelationships }) =>
        about(federationRelationships.map(({ trustDomain }) => trustDomain)),
    },
    "operator",
    "federator",
  ),
  batchDeleteFederationRelationship: change(
    { action: "federation.delete", items: ({ trustDomains }) => about(trustDomains) },
    "operator",
    "federator",
  ),
  refreshBundle: change(
    { action: "bundle.refresh", resource: ({ trustDomain }) => trustDomain },
    "operator",
    "federator",
  ),
};

const preparing = (kind: string): MethodPolicy<unknown> =>
  change(
    { action: "authority.prepare", resource: () => kind, isRecordedWithin: true },
    "key-admin",
  );
const ofAuthority = (
  act: "activate" | "taint" | "revoke",
  ...allow: readonly Allowed[]
): MethodPolicy<{ readonly authorityId: string }> =>
  change(
    {
      action: `authority.${act}`,
      resource: ({ authorityId }) => authorityId,
      isRecordedWithin: true,
    },
    ...allow,
  );
const ofUpstream = (act: "taint" | "revoke"): MethodPolicy<{ readonly subjectKeyId: string }> =>
  change(
    { action: `upstream_authority.${act}`, resource: ({ subjectKeyId }) => subjectKeyId },
    "key-admin",
    "revoker",
  );

const localAuthority: Rows<typeof LocalAuthority> = {
  getX509AuthorityState: read(),
  prepareX509Authority: preparing("x509"),
  activateX509Authority: ofAuthority("activate", "key-admin"),
  taintX509Authority: ofAuthority("taint", "key-admin", "revoker"),
  revokeX509Authority: ofAuthority("revoke", "key-admin", "revoker"),
  taintX509UpstreamAuthority: ofUpstream("taint"),
  revokeX509UpstreamAuthority: ofUpstream("revoke"),
  getJWTAuthorityState: read(),
  prepareJWTAuthority: preparing("jwt"),
  activateJWTAuthority: ofAuthority("activate", "key-admin"),
  taintJWTAuthority: ofAuthority("taint", "key-admin", "revoker"),
  revokeJWTAuthority: ofAuthority("revoke", "key-admin", "revoker"),
  getWITAuthorityState: read(),
  prepareWITAuthority: preparing("wit"),
  activateWITAuthority: ofAuthority("activate", "key-admin"),
  taintWITAuthority: ofAuthority("taint", "key-admin", "revoker"),
  revokeWITAuthority: ofAuthority("revoke", "key-admin", "revoker"),
};

const logger: Rows<typeof Logger> = {
  getLogger: read(),
  setLogLevel: change({ action: "log.set_level" }, "operator"),
  resetLogLevel: change({ action: "log.reset_level" }, "operator"),
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
  batchCreateEntry: change(
    {
      action: "entry.create",
      items: ({ entries }) => entryNames(entries.map(({ entry }) => entry)),
    },
    "registrar",
  ),
  batchUpdateEntry: change(
    {
      action: "entry.update",
      items: ({ entries }) => entryNames(entries.map(({ entry }) => entry)),
    },
    "registrar",
  ),
  batchDeleteEntry: change({ action: "entry.delete", items: ({ ids }) => about(ids) }, "registrar"),
  listEntries: read(),
  watchRollout: read(),
  explain: read(),
  checkAccess: read(),
  backup: change({ action: "store.backup", resource: ({ path }) => path }, "operator"),
  reload: change({ action: "server.reload" }, "operator"),
  listAuthorities: read(),
  prepareAuthority: change(
    { action: "authority.prepare", resource: ({ kind }) => kind, isRecordedWithin: true },
    "key-admin",
  ),
  addCluster: change(
    { action: "cluster.add", resource: ({ cluster }) => cluster?.name ?? "" },
    "operator",
  ),
  removeCluster: change({ action: "cluster.remove", resource: ({ name }) => name }, "operator"),
  listClusters: read(),
  createFederation: change(
    { action: "federation.create", resource: ({ federation }) => federation?.trustDomain ?? "" },
    "operator",
    "federator",
  ),
  updateFederation: change(
    { action: "federation.update", resource: ({ federation }) => federation?.trustDomain ?? "" },
    "operator",
    "federator",
  ),
  deleteFederation: change(
    { action: "federation.delete", resource: ({ trustDomain }) => trustDomain },
    "operator",
    "federator",
  ),
  listFederations: read(),
  reportRegistrar: by("status", "registrar"),
  listRegistrars: read(),
  confirmRegistrar: change(
    { action: "registrar.confirm", resource: ({ cluster }) => cluster },
    "operator",
  ),
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

/** Finds the policy of a method by its full name. */
export type PolicyOf = (method: string) => MethodPolicy;

/** Nobody may call a method that has no row; there is none among the services that the compiler checked. */
export const policyOf: PolicyOf = (method) =>
  METHOD_POLICIES.get(method) ?? { allow: [], limit: "read" };
