import type { KeyObject } from "node:crypto";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { readWitSvid, type UnprovenWitSvid } from "../../spiffe/svid/wit-svid.ts";
import type { KeyPool } from "../cache/key-pool.ts";
import type { IssueToken, WitSvid } from "../cache/token-cache.ts";
import { fromSeconds, type IssueTokenDeps, toWorkloadError } from "./issue-jwt-svid.ts";

/** What {@link witSvidIssuer} needs. */
export interface IssueWitSvidDeps extends IssueTokenDeps {
  readonly keys: KeyPool;
}

/**
 * Asks the server for WIT-SVIDs, each for a key that was made here for its instance alone, and reports which instance got which.
 * What comes back is looked at before a workload gets it: it names the SPIFFE ID that the server says, confirms our key and no
 * other, and has not expired.
 */
export function witSvidIssuer(deps: IssueWitSvidDeps): IssueToken<WitSvid> {
  return async ({ entryId, instance }, options) => {
    const { publicKey, privateKey } = (await deps.keys.take()).pair;
    const signingAlgorithm = algorithmFor(publicKey);
    const param = {
      entryId,
      publicKey: publicKey.export({ type: "spki", format: "der" }),
      signingAlgorithm,
    };
    const { results } = await deps.connection.call(SVID, (client) =>
      client.batchNewWITSVID({ params: [param] }, options),
    );
    const [result] = results;
    const { code = Status.OK, message = "" } = result?.status ?? {};
    if (code !== Status.OK) toWorkloadError(new StatusError(code, message));
    const { svid } = result ?? {};
    if (svid?.id === undefined) throw new Error("WIT-SVID: the server sent none");
    const wit = readWitSvid(svid.token);
    const spiffeId = `spiffe://${svid.id.trustDomain}${svid.id.path}`;
    check(wit, { spiffeId, publicKey, signingAlgorithm, now: deps.clock.now() });
    const { jti } = wit.claims;
    if (typeof jti === "string") {
      const boundAt = deps.clock.now();
      const executable = undefined;
      deps.onBinding({ credential: jti, entryId, spiffeId, instance, executable, boundAt });
    }
    return {
      token: svid.token,
      privateJwk: JSON.stringify({
        ...privateKey.export({ format: "jwk" }),
        alg: signingAlgorithm,
      }),
      spiffeId,
      hint: svid.hint,
      issuedAt: wit.issuedAt ?? fromSeconds(svid.issuedAt),
      expiresAt: wit.expiresAt,
      keyId: wit.keyId,
      ...(typeof jti === "string" && { jti }),
    };
  };
}

/** @throws {Error} when it would be of no use to the workload, or is for somebody else */
function check(
  wit: UnprovenWitSvid,
  o: {
    readonly spiffeId: string;
    readonly publicKey: KeyObject;
    readonly signingAlgorithm: string;
    readonly now: Date;
  },
): void {
  if (wit.id.toString() !== o.spiffeId) throw new Error("WIT-SVID: it is for another SPIFFE ID");
  if (!wit.confirmationKey.equals(o.publicKey)) {
    throw new Error("WIT-SVID: it confirms another key");
  }
  if (wit.confirmationAlgorithm !== o.signingAlgorithm) {
    throw new Error("WIT-SVID: it confirms the key for another algorithm");
  }
  if (wit.expiresAt <= o.now) throw new Error("WIT-SVID: it has expired already");
}

/** What proofs with a key are made by: one of the three that the settings allow. */
function algorithmFor({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === "rsa") return "RS256";
  return asymmetricKeyDetails?.namedCurve === "secp384r1" ? "ES384" : "ES256";
}
