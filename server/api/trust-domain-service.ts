/**
 * The public API for federation relationships. It knows no limits: what it makes is for everything, which the listing of our own API
 * shows as a finding; what it changes keeps its limits.
 */
import { checkCount, decodePageSize } from "../../proto/convert/field.ts";
import { projectFederationRelationship } from "../../proto/convert/mask.ts";
import { encodeStatus } from "../../proto/convert/status.ts";
import { TrustDomain as TrustDomainApi } from "../../proto/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts";
import type {
  FederationRelationshipMask,
  FederationRelationship as WireRelationship,
} from "../../proto/gen/spire/api/types/federationrelationship_pb.ts";
import type { Status } from "../../proto/gen/spire/api/types/status_pb.ts";
import {
  failedPrecondition,
  notFound,
  StatusError,
  unavailable,
} from "../../runtime/errors/status-error.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { BundleMessages } from "../bundle/bundle-messages.ts";
import type { BundleRefresher } from "../federation/bundle-refresher.ts";
import { FetchError } from "../federation/fetch-error.ts";
import {
  decodeForeign,
  decodeRelationship,
  encodeRelationship,
} from "../federation/relationship-message.ts";
import { limitsRecordOf } from "../federation/relationship-value.ts";
import { writeRelationships } from "../federation/relationship-writes.ts";
import type { Relationships } from "../federation/relationships.ts";
import type { RelationshipRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { type Caller, nameOfCaller } from "./caller.ts";
import { statusOf } from "./item-status.ts";

export interface TrustDomainServiceDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "write">;
  readonly relationships: Relationships;
  readonly bundles: Pick<BundleMessages, "get">;
  readonly refresher: Pick<BundleRefresher, "refresh">;
  readonly clock: Clock;
}

/** What relationships are said to be kept by that this API makes. */
const ORIGIN = "api";
const FOR_EVERYTHING = limitsRecordOf(FederationLimits.ANY);
const maxBatch = 500;
const pageSizes = { defaultSize: 100, maxSize: 1_000 };

interface RelationshipResult {
  readonly status: Status;
  readonly federationRelationship?: WireRelationship;
}

export function trustDomainService(deps: TrustDomainServiceDeps): Registration<Caller> {
  const { trustDomain, relationships, clock } = deps;
  const own = trustDomain.name;

  const encode = (record: RelationshipRecord): WireRelationship =>
    encodeRelationship(record, deps.bundles.get(record.trustDomain));

  const write = async (
    wanted: readonly WireRelationship[],
    mode: "create" | "update",
    caller: Caller,
    masks: {
      readonly inputMask?: FederationRelationshipMask | undefined;
      readonly outputMask?: FederationRelationshipMask | undefined;
    },
  ): Promise<{ results: RelationshipResult[] }> => {
    checkCount("federation_relationships", wanted, maxBatch);
    const items = wanted.map((relationship, index) =>
      orRefusal(() => {
        const field = `federation_relationships[${index}]`;
        const current = relationships.get(relationship.trustDomain)?.record;
        const mask = masks.inputMask;
        const read = decodeRelationship(field, relationship, { own, mask, current });
        return mode === "create" ? { ...read, limits: FOR_EVERYTHING } : read;
      }),
    );
    const accepted = items.flatMap((item) => (item instanceof StatusError ? [] : item));
    const writer = { origin: ORIGIN, actor: nameOfCaller(caller), now: clock.now() };
    const { results } = await writeRelationships(deps.store, accepted, mode, writer);
    const written = results.values();
    const project = projectFederationRelationship(masks.outputMask);
    return {
      results: items.map((item): RelationshipResult => {
        if (item instanceof StatusError) return { status: encodeStatus(item) };
        const { value: result } = written.next();
        if (result === undefined) throw new Error("store answered for fewer relationships");
        return {
          status: statusOf(result),
          ...(result.ok && { federationRelationship: project(encode(result.item)) }),
        };
      }),
    };
  };

  return service<typeof TrustDomainApi, Caller>(TrustDomainApi, {
    listFederationRelationships: async ({ outputMask, pageSize, pageToken }) => {
      const size = decodePageSize("page_size", pageSize, pageSizes);
      // The name of the last one of the page before, so that pages stay right whatever is added meanwhile.
      const rest = relationships.listed.filter(
        ({ record }) => record.trustDomain > pageToken && record.endpoint.profile !== "none",
      );
      const page = rest.slice(0, size).map(({ record }) => record);
      const project = projectFederationRelationship(outputMask);
      return {
        federationRelationships: page.map((record) => project(encode(record))),
        nextPageToken: rest.length > size ? (page.at(-1)?.trustDomain ?? "") : "",
      };
    },

    getFederationRelationship: async ({ trustDomain: name, outputMask }) => {
      const { record } = find(relationships, decodeForeign("trust_domain", name, own));
      return projectFederationRelationship(outputMask)(encode(record));
    },

    batchCreateFederationRelationship: ({ federationRelationships, outputMask }, { caller }) =>
      write(federationRelationships, "create", caller, { outputMask }),

    batchUpdateFederationRelationship: (
      { federationRelationships, inputMask, outputMask },
      { caller },
    ) => write(federationRelationships, "update", caller, { inputMask, outputMask }),

    batchDeleteFederationRelationship: async ({ trustDomains }) => {
      checkCount("trust_domains", trustDomains, maxBatch);
      const names = trustDomains.map((name, index) =>
        orRefusal(() => decodeForeign(`trust_domains[${index}]`, name, own)),
      );
      const { output } = await deps.store.write("deleteRelationships", {
        trustDomains: names.filter((name) => typeof name === "string"),
        origin: ORIGIN,
        now: Math.floor(clock.now().getTime() / 1000),
      });
      const deleted = output.values();
      return {
        results: names.map((name, index) => {
          const trustDomain = trustDomains[index] ?? "";
          if (name instanceof StatusError) return { status: encodeStatus(name), trustDomain };
          const { value: result } = deleted.next();
          if (result === undefined) throw new Error("store answered for fewer relationships");
          return { status: statusOf(result), trustDomain };
        }),
      };
    },

    refreshBundle: async ({ trustDomain: name }, { signal }) => {
      const { record } = find(relationships, decodeForeign("trust_domain", name, own));
      if (record.endpoint.profile === "none") {
        throw failedPrecondition(
          "the trust domain has no bundle endpoint: its bundle is set by hand",
        );
      }
      if (record.endedAt !== 0)
        throw failedPrecondition("federation with the trust domain has ended");
      try {
        await deps.refresher.refresh(record.trustDomain, signal);
      } catch (cause) {
        if (!(cause instanceof FetchError)) throw cause;
        throw unavailable(`bundle was not fetched: ${cause.message}`, {
          reason: cause.code,
          cause,
        });
      }
      return {};
    },
  });
}

function find(relationships: Relationships, trustDomain: string) {
  const found = relationships.get(trustDomain);
  if (found === undefined || found.record.isDeleted) {
    throw notFound("federation relationship does not exist", { reason: "federation_not_found" });
  }
  return found;
}

function orRefusal<T>(read: () => T): T | StatusError {
  try {
    return read();
  } catch (err) {
    if (err instanceof StatusError) return err;
    throw err;
  }
}
