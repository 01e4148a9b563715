/** The public bundle API: the own bundle for everybody, federated bundles for administrators and agents. */
import { create } from "@bufbuild/protobuf";
import { decodeBundle } from "../../proto/convert/bundle.ts";
import { checkCount, decodePageSize } from "../../proto/convert/field.ts";
import { decodeTrustDomain } from "../../proto/convert/id.ts";
import { projectBundle } from "../../proto/convert/mask.ts";
import { encodeStatus } from "../../proto/convert/status.ts";
import {
  Bundle as BundleApi,
  BatchDeleteFederatedBundleRequest_Mode as DeleteMode,
} from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import {
  type BundleMask,
  BundleSchema,
  type Bundle as WireBundle,
} from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Status } from "../../proto/gen/spire/api/types/status_pb.ts";
import {
  invalidArgument,
  notFound,
  StatusError,
  unavailable,
  unimplemented,
} from "../../runtime/errors/status-error.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { appendKey, appendX509 } from "../bundle/bundle-change.ts";
import { type BundleMessages, encodeBundleRecord } from "../bundle/bundle-messages.ts";
import { bundleRecordOf } from "../bundle/bundle-record.ts";
import type { LocalBundle } from "../bundle/local-bundle.ts";
import type { Authorization } from "../entries/authorization.ts";
import type { ServedBundles } from "../federation/served-bundles.ts";
import type { BundleDeletion, BundleField, BundleWrite } from "../store/contract/bundles.ts";
import type { ItemResult } from "../store/contract/operation.ts";
import type { BundleRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Caller } from "./caller.ts";
import { statusOf } from "./item-status.ts";

export interface BundleServiceDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "read" | "write">;
  readonly bundles: Pick<BundleMessages, "get" | "trustDomains">;
  readonly local: Pick<LocalBundle, "change" | "record">;
  readonly served: Pick<ServedBundles, "get" | "isForAnybody">;
  readonly authorization: Pick<Authorization, "forAgent">;
}

const maxBatch = 500;
const pageSizes = { defaultSize: 100, maxSize: 1_000 };

const deletions: Readonly<Record<DeleteMode, BundleDeletion>> = {
  [DeleteMode.RESTRICT]: "restrict",
  [DeleteMode.DELETE]: "delete",
  [DeleteMode.DISSOCIATE]: "dissociate",
};

/** The parts of a stored bundle, and what masks call them. */
const maskNames = [
  ["x509Authorities", "x509Authorities"],
  ["jwtAuthorities", "jwtAuthorities"],
  ["witAuthorities", "witAuthorities"],
  ["refreshHintSeconds", "refreshHint"],
  ["sequence", "sequenceNumber"],
] as const satisfies readonly (readonly [BundleField, keyof BundleMask])[];

interface BundleMasks {
  readonly inputMask?: BundleMask | undefined;
  readonly outputMask?: BundleMask | undefined;
}

interface BundleResult {
  readonly status: Status;
  readonly bundle?: WireBundle;
}

export function bundleService({
  trustDomain,
  store,
  bundles,
  local,
  served,
  authorization,
}: BundleServiceDeps): Registration<Caller> {
  const own = trustDomain.name;

  const write = async (
    wanted: readonly WireBundle[],
    mode: BundleWrite,
    { inputMask, outputMask }: BundleMasks,
  ): Promise<{ results: BundleResult[] }> => {
    checkCount("bundle", wanted, maxBatch);
    const project = projectBundle(inputMask);
    const records = wanted.map((bundle, index) =>
      readForeign(`bundle[${index}]`, project(bundle), own),
    );
    const accepted = records.flatMap((record) => (record instanceof StatusError ? [] : record));
    const { output } = await store.write("writeBundles", {
      bundles: accepted,
      mode,
      ...(inputMask && { fields: fieldsOf(inputMask) }),
    });
    const written = output.values();
    return {
      results: records.map((record) =>
        record instanceof StatusError
          ? { status: encodeStatus(record) }
          : resultOf(written.next().value, outputMask),
      ),
    };
  };

  return service<typeof BundleApi, Caller>(BundleApi, {
    countBundles: async () => ({
      count: bundles.trustDomains.filter((name) => served.get(name) !== undefined).length,
    }),

    getBundle: async ({ outputMask }) => {
      const bundle = bundles.get(own);
      if (bundle === undefined) {
        throw unavailable("the bundle is not ready yet", { reason: "starting" });
      }
      return projectBundle(outputMask)(bundle);
    },

    getFederatedBundle: async ({ trustDomain: name, outputMask }, { caller }) => {
      const foreign = decodeTrustDomain("trust_domain", name).name;
      if (foreign === own) {
        throw invalidArgument("trust_domain: must not be the server's own");
      }
      const bundle = served.get(foreign);
      // An agent that asks here is of another make: it hands bundles out as they are, and knows of no limits.
      const isWithheld =
        caller.kind === "agent" && !served.isForAnybody(foreign, authorization.forAgent(caller.id));
      if (bundle === undefined || isWithheld)
        throw notFound("bundle not found", { reason: "bundle_not_found" });
      return projectBundle(outputMask)(bundle);
    },

    listFederatedBundles: async ({ outputMask, pageSize, pageToken }) => {
      const page = await store.read("listBundles", {
        except: own,
        page: {
          pageSize: decodePageSize("page_size", pageSize, pageSizes),
          ...(pageToken !== "" && { pageToken }),
        },
      });
      const project = projectBundle(outputMask);
      return {
        bundles: page.items
          .filter((record) => served.get(record.trustDomain) !== undefined)
          .map((record) => project(encodeBundleRecord(record))),
        nextPageToken: page.nextPageToken ?? "",
      };
    },

    batchCreateFederatedBundle: ({ bundle, ...masks }) => write(bundle, "create", masks),
    batchUpdateFederatedBundle: ({ bundle, ...masks }) => write(bundle, "update", masks),
    batchSetFederatedBundle: ({ bundle, ...masks }) => write(bundle, "set", masks),

    batchDeleteFederatedBundle: async ({ trustDomains, mode }) => {
      checkCount("trust_domains", trustDomains, maxBatch);
      if (trustDomains.includes(own)) {
        throw invalidArgument("removing the bundle for the server trust domain is not allowed");
      }
      const { output } = await store.write("deleteBundles", {
        trustDomains,
        mode: deletions[mode] ?? "restrict",
      });
      return {
        results: output.map((result, index) => ({
          status: statusOf(result),
          trustDomain: trustDomains[index] ?? "",
        })),
      };
    },

    appendBundle: async ({ x509Authorities, jwtAuthorities, witAuthorities, outputMask }) => {
      const given = { trustDomain: own, x509Authorities, jwtAuthorities, witAuthorities };
      const added = bundleRecordOf(decodeBundle("bundle", create(BundleSchema, given)));
      await local.change((bundle) => appendAll(bundle, added));
      return projectBundle(outputMask)(encodeBundleRecord(local.record));
    },
    // Those of nested servers are not taken yet.
    publishJWTAuthority: () => unsupported("publishing JWT authorities of nested servers"),
    publishWITAuthority: () => unsupported("publishing WIT authorities of nested servers"),
  });
}

function appendAll(bundle: BundleRecord, added: BundleRecord): BundleRecord {
  const changes = [
    ...added.x509Authorities.map(({ certificateDer }) => appendX509(certificateDer)),
    ...added.jwtAuthorities.map((key) => appendKey("jwtAuthorities", key)),
    ...added.witAuthorities.map((key) => appendKey("witAuthorities", key)),
  ];
  return changes.reduce((changed, change) => change(changed), bundle);
}

async function unsupported(what: string): Promise<never> {
  throw unimplemented(`${what} is not supported`);
}

function fieldsOf(mask: BundleMask): readonly BundleField[] {
  const fields: BundleField[] = [];
  for (const [field, name] of maskNames) if (mask[name]) fields.push(field);
  return fields;
}

/** A bundle of another trust domain, or why it is refused. */
function readForeign(field: string, wire: WireBundle, own: string): BundleRecord | StatusError {
  try {
    const bundle = decodeBundle(field, wire);
    if (bundle.trustDomain.name === own) {
      throw invalidArgument("the server's own bundle cannot be written");
    }
    return bundleRecordOf(bundle);
  } catch (err) {
    if (err instanceof StatusError) return err;
    throw err;
  }
}

function resultOf(
  result: ItemResult<BundleRecord> | undefined,
  mask: BundleMask | undefined,
): BundleResult {
  if (result === undefined) throw new Error("store answered for fewer bundles than it got");
  const { item } = result;
  return {
    status: statusOf(result),
    ...(result.ok && item && { bundle: projectBundle(mask)(encodeBundleRecord(item)) }),
  };
}
