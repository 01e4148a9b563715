import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { permissionDenied, Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { CredentialBinding } from "../cache/credential-binding.ts";
import type { IssueToken, JwtSvid } from "../cache/token-cache.ts";
import type { ServerConnection } from "../connection/server-connection.ts";

export interface IssueTokenDeps {
  readonly connection: Pick<ServerConnection, "call">;
  readonly clock: Clock;
  readonly onBinding: (binding: CredentialBinding) => void;
}

/** Asks the server for JWT-SVIDs, and reports which instance got which. */
export function jwtSvidIssuer(deps: IssueTokenDeps): IssueToken<JwtSvid> {
  return async ({ entryId, instance, audience }, options) => {
    const { svid } = await deps.connection
      .call(SVID, (client) => client.newJWTSVID({ entryId, audience: [...audience] }, options))
      .catch(toWorkloadError);
    if (svid?.id === undefined || svid.token === "") {
      throw new Error("JWT-SVID: the server sent none");
    }
    const spiffeId = `spiffe://${svid.id.trustDomain}${svid.id.path}`;
    const jti = readText(svid.token, 1, "jti");
    const keyId = readText(svid.token, 0, "kid");
    if (jti !== undefined) {
      deps.onBinding({
        credential: jti,
        entryId,
        spiffeId,
        instance,
        executable: undefined,
        boundAt: deps.clock.now(),
      });
    }
    return {
      token: svid.token,
      spiffeId,
      hint: svid.hint,
      issuedAt: fromSeconds(svid.issuedAt),
      expiresAt: fromSeconds(svid.expiresAt),
      ...(jti === undefined ? {} : { jti }),
      ...(keyId === undefined ? {} : { keyId }),
    };
  };
}

/** To a workload, an entry that the server does not grant this agent is no entry. */
export function toWorkloadError(err: unknown): never {
  if (err instanceof StatusError && err.code === Status.NOT_FOUND) {
    throw permissionDenied("no identity issued", { reason: "no_entry", cause: err });
  }
  throw err;
}

/** A text in the header (0) or the claims (1) of a token that the server has just signed for us; nothing of it is trusted. */
function readText(token: string, part: 0 | 1, name: string): string | undefined {
  try {
    const text = Buffer.from(token.split(".")[part] ?? "", "base64url").toString("utf8");
    const object: unknown = JSON.parse(text);
    const value =
      typeof object === "object" && object !== null ? Reflect.get(object, name) : undefined;
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

export function fromSeconds(seconds: bigint): Date {
  return new Date(Number(seconds) * 1000);
}
