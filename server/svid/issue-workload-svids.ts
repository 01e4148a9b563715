import { StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type {
  IssuanceCall,
  IssuedToken,
  IssuedX509Svid,
  Issuer,
  X509SvidOrder,
  X509SvidResult,
} from "../ca/issuance.ts";
import type { Authorization } from "../entries/authorization.ts";
import { authorisedEntry, issuanceEntryOf } from "./authorised-entry.ts";
import type { EntryUsage } from "./entry-usage.ts";

/** What issuing for workloads needs. */
export interface WorkloadSvidDeps {
  readonly authorization: Pick<Authorization, "find">;
  readonly issuer: Pick<Issuer, "signX509Svids" | "signJwtSvid" | "signWitSvid">;
  readonly usage: Pick<EntryUsage, "issued">;
}

/** An X509-SVID that an agent wants for an entry. */
export interface WorkloadSvidRequest {
  readonly entryId: string;
  readonly csrDer: Uint8Array;
}

/** One X509-SVID with its entry's hint, or why there is none. */
export type WorkloadSvidResult =
  | { readonly issued: true; readonly svid: IssuedX509Svid; readonly hint: string }
  | { readonly issued: false; readonly error: StatusError };

/**
 * Issues X509-SVIDs for entries that the agent may use, answered in the order they were asked for. What goes into an SVID comes
 * from the entry; of the CSR only the key counts.
 */
export async function issueWorkloadX509Svids(
  deps: WorkloadSvidDeps,
  agentId: string,
  requests: readonly WorkloadSvidRequest[],
  call: IssuanceCall,
): Promise<readonly WorkloadSvidResult[]> {
  const prepared = requests.map((request) => prepare(deps, agentId, request));
  const orders = prepared.flatMap((one) => ("order" in one ? [one.order] : []));
  const signed = orders.length === 0 ? [] : await deps.issuer.signX509Svids(call, orders);
  const results = signed.values();
  return prepared.map((one) => {
    if ("error" in one) return { issued: false, error: one.error };
    const result: X509SvidResult | undefined = results.next().value;
    if (result === undefined) throw new Error("the issuer left out a result");
    if (!result.issued) return result;
    deps.usage.issued(one.entryId);
    return { issued: true, svid: result.svid, hint: one.hint };
  });
}

type Prepared =
  | { readonly entryId: string; readonly hint: string; readonly order: X509SvidOrder }
  | { readonly error: StatusError };

function prepare(
  deps: WorkloadSvidDeps,
  agentId: string,
  { entryId, csrDer }: WorkloadSvidRequest,
): Prepared {
  try {
    const record = authorisedEntry(deps.authorization, agentId, entryId);
    const order: X509SvidOrder = {
      profile: "x509_workload",
      spiffeId: SpiffeId.parse(record.spiffeId),
      dnsNames: record.dnsNames,
      csrDer,
      entry: issuanceEntryOf(record, "x509SvidTtlSeconds"),
    };
    return { entryId, hint: record.hint, order };
  } catch (err) {
    if (err instanceof StatusError) return { error: err };
    throw err;
  }
}

/** A token with its entry's hint. */
export interface WorkloadToken {
  readonly token: IssuedToken;
  readonly hint: string;
}

/**
 * Issues a JWT-SVID for an entry that the agent may use.
 *
 * @throws {StatusError} NOT_FOUND, and what the policy says
 */
export async function issueWorkloadJwtSvid(
  deps: WorkloadSvidDeps,
  agentId: string,
  request: { readonly entryId: string; readonly audiences: readonly string[] },
  call: IssuanceCall,
): Promise<WorkloadToken> {
  const record = authorisedEntry(deps.authorization, agentId, request.entryId);
  const token = await deps.issuer.signJwtSvid(call, {
    profile: "jwt_workload",
    spiffeId: SpiffeId.parse(record.spiffeId),
    audiences: request.audiences,
    entry: issuanceEntryOf(record, "jwtSvidTtlSeconds"),
  });
  deps.usage.issued(record.id);
  return { token, hint: record.hint };
}

/**
 * Issues a WIT-SVID for an entry that the agent may use. Its lifetime is that of the entry's X509-SVIDs: both are bound to a key.
 *
 * @throws {StatusError} NOT_FOUND, UNIMPLEMENTED where WIT-SVIDs are off, and what the policy says
 */
export async function issueWorkloadWitSvid(
  deps: WorkloadSvidDeps,
  agentId: string,
  request: {
    readonly entryId: string;
    readonly publicKeySpki: Uint8Array;
    readonly signingAlgorithm: string;
  },
  call: IssuanceCall,
): Promise<WorkloadToken> {
  const { entryId, publicKeySpki, signingAlgorithm } = request;
  const record = authorisedEntry(deps.authorization, agentId, entryId);
  const token = await deps.issuer.signWitSvid(call, {
    profile: "wit_workload",
    spiffeId: SpiffeId.parse(record.spiffeId),
    publicKeySpki,
    signingAlgorithm,
    entry: issuanceEntryOf(record, "x509SvidTtlSeconds"),
  });
  deps.usage.issued(record.id);
  return { token, hint: record.hint };
}
