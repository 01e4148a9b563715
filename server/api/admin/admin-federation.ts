/** Relationships with foreign trust domains and what they are for: four calls of assay.admin.v1. */
import { create } from "@bufbuild/protobuf";
import { decodeBundle } from "../../../proto/convert/bundle.ts";
import {
  decodeFederationLimits,
  encodeFederationLimits,
} from "../../../proto/convert/federation-limits.ts";
import { fieldError, requireField } from "../../../proto/convert/field.ts";
import {
  type Admin,
  type BundleEndpoint,
  type FederationState,
  FederationStateSchema,
  type Federation as WireFederation,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { Bundle as WireBundle } from "../../../proto/gen/spire/api/types/bundle_pb.ts";
import { invalidArgument, notFound, StatusError } from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { FederationLimits } from "../../../spiffe/bundle/federation-limits.ts";
import type { TrustDomain } from "../../../spiffe/id/trust-domain.ts";
import type { BundleMessages } from "../../bundle/bundle-messages.ts";
import type { BundleRefresher } from "../../federation/bundle-refresher.ts";
import { decodeEndpointUrl } from "../../federation/endpoint-url.ts";
import { enforcementOf, findingsOf } from "../../federation/findings.ts";
import { decodeEndpointId, decodeForeign } from "../../federation/relationship-message.ts";
import { limitsRecordOf } from "../../federation/relationship-value.ts";
import {
  type WantedRelationship,
  writeRelationships,
} from "../../federation/relationship-writes.ts";
import type { Relationship, Relationships } from "../../federation/relationships.ts";
import type { ServedBundles } from "../../federation/served-bundles.ts";
import type { ItemResult } from "../../store/contract/operation.ts";
import type { BundleEndpointRecord, RelationshipRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";
import { type Caller, nameOfCaller } from "../caller.ts";

export interface AdminFederationDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "read" | "write">;
  readonly relationships: Relationships;
  readonly bundles: Pick<BundleMessages, "get" | "trustDomains">;
  readonly served: Pick<ServedBundles, "get">;
  readonly refresher: Pick<BundleRefresher, "statusOf">;
  readonly clock: Clock;
}

type Calls = "createFederation" | "updateFederation" | "deleteFederation" | "listFederations";

export function adminFederation(
  deps: AdminFederationDeps,
): Pick<Handlers<typeof Admin, Caller>, Calls> {
  const { store, relationships, clock } = deps;
  const own = deps.trustDomain.name;

  const write = async (
    mode: "create" | "update",
    wanted: WantedRelationship,
    caller: Caller,
  ): Promise<{ federation: FederationState; revision: bigint }> => {
    const writer = { origin: originOf(caller), actor: nameOfCaller(caller), now: clock.now() };
    const { results, revision } = await writeRelationships(store, [wanted], mode, writer);
    const { trustDomain } = doneOf(results[0]);
    return { federation: await describe(deps, trustDomain), revision };
  };

  return {
    createFederation: ({ federation, bundle }, { caller }) => {
      const wire = requireField("federation", federation);
      requireField("federation.endpoint", wire.endpoint);
      requireField("federation.limits", wire.limits);
      return write("create", decode(wire, bundle, own), caller);
    },

    updateFederation: ({ federation, bundle }, { caller }) =>
      write("update", decode(requireField("federation", federation), bundle, own), caller),

    deleteFederation: async ({ trustDomain }, { caller }) => {
      const { output, revision } = await store.write("deleteRelationships", {
        trustDomains: [decodeForeign("trust_domain", trustDomain, own)],
        origin: originOf(caller),
        now: Math.floor(clock.now().getTime() / 1000),
      });
      doneOf(output[0]);
      return { revision };
    },

    listFederations: async ({ trustDomain }) => {
      const listed = relationships.listed.map(({ record }) => record.trustDomain);
      const bundlesOnly = deps.bundles.trustDomains.filter(
        (name) => name !== own && relationships.get(name) === undefined,
      );
      const names = [...listed, ...bundlesOnly].sort();
      if (trustDomain !== "") {
        const name = decodeForeign("trust_domain", trustDomain, own);
        if (!names.includes(name)) {
          throw notFound("federation relationship does not exist", {
            reason: "federation_not_found",
          });
        }
        return { federations: [await describe(deps, name)] };
      }
      return { federations: await Promise.all(names.map((name) => describe(deps, name))) };
    },
  };
}

function originOf(caller: Caller): string {
  // A registrar outside of the server is bound to its cluster by its grants.
  const cluster = "grants" in caller ? caller.grants.registrar.cluster : undefined;
  return cluster === undefined ? "admin" : `cluster/${cluster}`;
}

function doneOf(result: ItemResult<RelationshipRecord> | undefined): RelationshipRecord {
  if (result === undefined) throw new Error("store answered for fewer relationships");
  if (!result.ok) throw new StatusError(result.code, result.message);
  return result.item;
}

function decode(
  wire: WireFederation,
  bundle: WireBundle | undefined,
  own: string,
): WantedRelationship {
  const trustDomain = decodeForeign("federation.trust_domain", wire.trustDomain, own);
  if (bundle !== undefined && bundle.trustDomain !== trustDomain) {
    throw invalidArgument("bundle.trust_domain: must be the relationship's");
  }
  const endpoint = wire.endpoint && decodeEndpoint("federation.endpoint", wire.endpoint);
  const limits = wire.limits && decodeFederationLimits("federation.limits", wire.limits);
  return {
    trustDomain,
    ...(endpoint && { endpoint }),
    ...(limits && { limits: limitsRecordOf(limits) }),
    ...(bundle && { bundle: decodeBundle("bundle", bundle) }),
  };
}

function decodeEndpoint(field: string, wire: BundleEndpoint): BundleEndpointRecord {
  const { profile } = wire;
  if (profile === "none") return { profile };
  if (profile !== "https_web" && profile !== "https_spiffe") {
    throw fieldError(`${field}.profile`, 'must be "https_web", "https_spiffe" or "none"');
  }
  const url = decodeEndpointUrl(`${field}.url`, wire.url);
  if (profile === "https_web") return { profile, url };
  return { profile, url, endpointId: decodeEndpointId(`${field}.endpoint_id`, wire.endpointId) };
}

/** A foreign trust domain as it stands with us. */
async function describe(deps: AdminFederationDeps, trustDomain: string): Promise<FederationState> {
  const relationship: Relationship | undefined = deps.relationships.get(trustDomain);
  const counted = await deps.store.read("countFederatingEntries", { trustDomain });
  const status = deps.refresher.statusOf(trustDomain);
  const bundle = deps.bundles.get(trustDomain);
  const hasBundle = deps.served.get(trustDomain) !== undefined;
  const facts = { relationship, hasBundle, status, ...counted };
  const { record, limits = FederationLimits.ANY } = relationship ?? {};
  return create(FederationStateSchema, {
    federation: {
      trustDomain,
      endpoint: record?.endpoint ?? { profile: "none" },
      limits: encodeFederationLimits(trustDomain, limits),
    },
    origin: record?.origin ?? "bundle",
    createdBy: record?.createdBy ?? "",
    updatedBy: record?.updatedBy ?? "",
    createdAt: BigInt(record?.createdAt ?? 0),
    endedAt: BigInt(record?.endedAt ?? 0),
    fetchedAt: secondsOf(status.fetchedAt),
    nextFetchAt: secondsOf(status.nextFetchAt),
    sequence: bundle?.sequenceNumber ?? 0n,
    x509Authorities: bundle?.x509Authorities.length ?? 0,
    jwtAuthorities: bundle?.jwtAuthorities.length ?? 0,
    failureCode: status.failure?.code ?? "",
    failure: status.failure?.message ?? "",
    entries: counted.entries,
    unrestrictedEntries: counted.unrestricted,
    findings: [...findingsOf(facts)],
    enforcement: enforcementOf(facts).map((each) => ({ ...each })),
  });
}

function secondsOf(instant: Date | undefined): bigint {
  return instant === undefined ? 0n : BigInt(Math.floor(instant.getTime() / 1000));
}
