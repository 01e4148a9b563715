import { create } from "@bufbuild/protobuf";
import { decodeBundle } from "../../proto/convert/bundle.ts";
import { fieldError } from "../../proto/convert/field.ts";
import { decodeTrustDomain } from "../../proto/convert/id.ts";
import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import {
  type FederationRelationshipMask,
  FederationRelationshipSchema,
  type FederationRelationship as WireRelationship,
} from "../../proto/gen/spire/api/types/federationrelationship_pb.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { BundleEndpointRecord, RelationshipRecord } from "../store/records.ts";
import { decodeEndpointUrl } from "./endpoint-url.ts";
import type { WantedRelationship } from "./relationship-writes.ts";

/**
 * Reads a relationship of the public API.
 *
 * @param o.mask which fields count; all of them without one
 * @param o.current what is there: the part of its endpoint that the mask leaves out stays
 * @throws {StatusError} INVALID_ARGUMENT with the first field that breaks a rule
 */
export function decodeRelationship(
  field: string,
  wire: WireRelationship,
  o: {
    readonly own: string;
    readonly mask?: FederationRelationshipMask | undefined;
    readonly current?: RelationshipRecord | undefined;
  },
): WantedRelationship {
  const trustDomain = decodeForeign(`${field}.trust_domain`, wire.trustDomain, o.own);
  const { bundleEndpointUrl = true, bundleEndpointProfile = true } = o.mask ?? {};
  const kept = o.current === undefined ? undefined : encodeEndpoint(o.current.endpoint);
  const given = {
    bundleEndpointUrl: (bundleEndpointUrl ? wire : kept)?.bundleEndpointUrl,
    bundleEndpointProfile: (bundleEndpointProfile ? wire : kept)?.bundleEndpointProfile,
  };
  const bundle = o.mask?.trustDomainBundle === false ? undefined : wire.trustDomainBundle;
  if (bundle !== undefined && bundle.trustDomain !== trustDomain) {
    throw fieldError(`${field}.trust_domain_bundle`, "must be of the relationship's trust domain");
  }
  return {
    trustDomain,
    ...((bundleEndpointUrl || bundleEndpointProfile) && { endpoint: decodeEndpoint(field, given) }),
    ...(bundle && { bundle: decodeBundle(`${field}.trust_domain_bundle`, bundle) }),
  };
}

/** Reads the name of a foreign trust domain. @throws {StatusError} INVALID_ARGUMENT, for the own one too */
export function decodeForeign(field: string, name: string, own: string): string {
  const foreign = decodeTrustDomain(field, name).name;
  if (foreign === own) throw fieldError(field, "must not be the server's own");
  return foreign;
}

/** Writes a relationship for the public API. */
export function encodeRelationship(
  record: RelationshipRecord,
  bundle: WireBundle | undefined,
): WireRelationship {
  const { bundleEndpointUrl, bundleEndpointProfile } = encodeEndpoint(record.endpoint);
  return create(FederationRelationshipSchema, {
    trustDomain: record.trustDomain,
    ...(bundleEndpointUrl && { bundleEndpointUrl }),
    ...(bundleEndpointProfile && { bundleEndpointProfile }),
    ...(bundle && { trustDomainBundle: bundle }),
  });
}

/** Reads the ID of a bundle endpoint. @throws {StatusError} INVALID_ARGUMENT */
export function decodeEndpointId(field: string, text: string): string {
  try {
    return SpiffeId.parse(text).toString();
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw fieldError(field, cause.message, { cause });
  }
}

interface WireEndpoint {
  readonly bundleEndpointUrl?: string | undefined;
  readonly bundleEndpointProfile?: WireRelationship["bundleEndpointProfile"] | undefined;
}

function decodeEndpoint(field: string, wire: WireEndpoint): BundleEndpointRecord {
  const url = decodeEndpointUrl(`${field}.bundle_endpoint_url`, wire.bundleEndpointUrl ?? "");
  const { bundleEndpointProfile: profile } = wire;
  switch (profile?.case) {
    case "httpsWeb":
      return { profile: "https_web", url };
    case "httpsSpiffe": {
      const idField = `${field}.https_spiffe.endpoint_spiffe_id`;
      const endpointId = decodeEndpointId(idField, profile.value.endpointSpiffeId);
      return { profile: "https_spiffe", url, endpointId };
    }
    default:
      throw fieldError(`${field}.bundle_endpoint_profile`, "is required");
  }
}

function encodeEndpoint(endpoint: BundleEndpointRecord): WireEndpoint {
  if (endpoint.profile === "none") return {};
  const { bundleEndpointUrl, bundleEndpointProfile } = create(FederationRelationshipSchema, {
    bundleEndpointUrl: endpoint.url,
    bundleEndpointProfile:
      endpoint.profile === "https_web"
        ? { case: "httpsWeb", value: {} }
        : { case: "httpsSpiffe", value: { endpointSpiffeId: endpoint.endpointId } },
  });
  return { bundleEndpointUrl, bundleEndpointProfile };
}
