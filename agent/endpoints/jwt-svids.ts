import { invalidArgument } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { JwtSvid } from "../cache/token-cache.ts";
import type { GrantedEntry, WorkloadCaller, WorkloadViews } from "../cache/workload-view.ts";
import { noIdentity } from "./entitlement.ts";
import { withUniqueHints } from "./workload-messages.ts";

/** The most audiences that one JWT-SVID request may name. */
const maxAudiences = 64;
const maxAudienceLength = 1024;

/** What is asked for. */
export interface JwtSvidsRequest {
  readonly audience: readonly string[];
  /** Only for this identity. */
  readonly spiffeId?: string | undefined;
}

/**
 * Reads a request for JWT-SVIDs.
 *
 * @param spiffeId empty for all identities
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function readJwtSvidsRequest(
  audience: readonly string[],
  spiffeId: string,
): JwtSvidsRequest {
  return {
    audience: checkAudience(audience),
    spiffeId: spiffeId === "" ? undefined : parseSpiffeId(spiffeId),
  };
}

/** @throws {StatusError} INVALID_ARGUMENT */
export function checkAudience(audience: readonly string[]): readonly string[] {
  if (audience.length === 0 || audience.includes("")) {
    throw invalidArgument("audience must be specified");
  }
  if (audience.length > maxAudiences || audience.some((a) => a.length > maxAudienceLength)) {
    throw invalidArgument(
      `audience: at most ${maxAudiences} values of ${maxAudienceLength} characters`,
    );
  }
  return audience;
}

/**
 * One JWT-SVID for each identity that a caller was found to have.
 *
 * @param o.entries what the caller is granted
 * @throws {StatusError} PERMISSION_DENIED when none of them is asked for, or may have the audience; what the cache throws
 */
export async function fetchJwtSvids(
  views: Pick<WorkloadViews, "fetchJwtSvid">,
  { audience, spiffeId }: JwtSvidsRequest,
  o: {
    readonly caller: WorkloadCaller;
    readonly entries: readonly GrantedEntry[];
    readonly signal: AbortSignal;
  },
): Promise<readonly JwtSvid[]> {
  const wanted = o.entries.filter((e) => spiffeId === undefined || e.spiffeId === spiffeId);
  const granted = withUniqueHints(wanted);
  if (granted.length === 0) throw noIdentity();
  // An identity that is not for this audience takes none of the others away; if none is for it, the cache says so.
  const allowed = granted.filter((entry) => allowsAll(entry, audience));
  return Promise.all(
    (allowed.length === 0 ? granted : allowed).map(({ entryId }) =>
      views.fetchJwtSvid({ caller: o.caller, entryId, audience, signal: o.signal }),
    ),
  );
}

function allowsAll({ allowedAudiences }: GrantedEntry, audience: readonly string[]): boolean {
  return allowedAudiences.length === 0 || audience.every((each) => allowedAudiences.includes(each));
}

/** @throws {StatusError} INVALID_ARGUMENT */
export function parseSpiffeId(text: string): string {
  try {
    return SpiffeId.parse(text).toString();
  } catch (cause) {
    throw invalidArgument("spiffe_id is no SPIFFE ID", { cause });
  }
}
