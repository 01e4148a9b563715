import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { permissionDenied, Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { IssueJwtSvid } from "../cache/jwt-svid-cache.ts";
import type { CredentialBinding } from "../cache/x509-svid-cache.ts";
import type { ServerConnection } from "../connection/server-connection.ts";

export interface IssueJwtSvidDeps {
  readonly connection: ServerConnection;
  readonly clock: Clock;
  readonly onBinding: (binding: CredentialBinding) => void;
}

/** Asks the server for JWT-SVIDs, and reports which instance got which. */
export function jwtSvidIssuer(deps: IssueJwtSvidDeps): IssueJwtSvid {
  return async ({ entryId, instance, audience }, options) => {
    const { svid } = await deps.connection
      .call(SVID, (client) => client.newJWTSVID({ entryId, audience: [...audience] }, options))
      .catch(toWorkloadError);
    if (svid?.id === undefined || svid.token === "") {
      throw new Error("JWT-SVID: the server sent none");
    }
    const spiffeId = `spiffe://${svid.id.trustDomain}${svid.id.path}`;
    const jti = readJti(svid.token);
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
    };
  };
}

// To a workload, an entry that the server does not grant this agent is no entry.
function toWorkloadError(err: unknown): never {
  if (err instanceof StatusError && err.code === Status.NOT_FOUND) {
    throw permissionDenied("no identity issued", { reason: "no_entry", cause: err });
  }
  throw err;
}

/** The jti of a token that the server has just signed for us; nothing of it is trusted. */
function readJti(token: string): string | undefined {
  const [, payload = ""] = token.split(".");
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    const jti =
      typeof claims === "object" && claims !== null ? Reflect.get(claims, "jti") : undefined;
    return typeof jti === "string" ? jti : undefined;
  } catch {
    return undefined;
  }
}

function fromSeconds(seconds: bigint): Date {
  return new Date(Number(seconds) * 1000);
}
