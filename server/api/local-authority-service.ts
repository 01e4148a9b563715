import type { MessageInitShape } from "@bufbuild/protobuf";
import { encodeUnixSeconds } from "../../proto/convert/field.ts";
import {
  type AuthorityStateSchema,
  LocalAuthority as LocalAuthorityApi,
} from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { failedPrecondition } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { AuthorityStatus, LocalAuthority } from "../ca/local-authority.ts";
import type { AuthorityKind } from "../store/records.ts";
import { authorityCauseOf } from "./authority-cause.ts";
import type { Caller } from "./caller.ts";

type Answer = MessageInitShape<typeof AuthorityStateSchema>;
type ById = { readonly authorityId: string };

/** spire.api.server.localauthority.v1.LocalAuthority: the same five calls for each kind of authority. */
export function localAuthorityService(authority: LocalAuthority): Registration<Caller> {
  const stateOf = (kind: AuthorityKind) => async () => {
    const { active, prepared, old } = authority.state(kind);
    return {
      ...(active === undefined ? {} : { active: encode(active) }),
      ...(prepared === undefined ? {} : { prepared: encode(prepared) }),
      ...(old === undefined ? {} : { old: encode(old) }),
    };
  };
  const prepare = (kind: AuthorityKind) => async (_: unknown, ctx: CallContext<Caller>) => ({
    preparedAuthority: encode(await authority.prepare(kind, authorityCauseOf(ctx))),
  });
  const activate =
    (kind: AuthorityKind) =>
    async ({ authorityId }: ById, ctx: CallContext<Caller>) => ({
      activatedAuthority: encode(
        await authority.activate(kind, authorityId, authorityCauseOf(ctx)),
      ),
    });
  const taint =
    (kind: AuthorityKind) =>
    async ({ authorityId }: ById, ctx: CallContext<Caller>) => ({
      taintedAuthority: encode(await authority.taint(kind, authorityId, authorityCauseOf(ctx))),
    });
  const revoke =
    (kind: AuthorityKind) =>
    async ({ authorityId }: ById, ctx: CallContext<Caller>) => ({
      revokedAuthority: encode(await authority.revoke(kind, authorityId, authorityCauseOf(ctx))),
    });
  return service<typeof LocalAuthorityApi, Caller>(LocalAuthorityApi, {
    getX509AuthorityState: stateOf("x509"),
    prepareX509Authority: prepare("x509"),
    activateX509Authority: activate("x509"),
    taintX509Authority: taint("x509"),
    revokeX509Authority: revoke("x509"),
    taintX509UpstreamAuthority: noUpstream,
    revokeX509UpstreamAuthority: noUpstream,
    getJWTAuthorityState: stateOf("jwt"),
    prepareJWTAuthority: prepare("jwt"),
    activateJWTAuthority: activate("jwt"),
    taintJWTAuthority: taint("jwt"),
    revokeJWTAuthority: revoke("jwt"),
    getWITAuthorityState: stateOf("wit"),
    prepareWITAuthority: prepare("wit"),
    activateWITAuthority: activate("wit"),
    taintWITAuthority: taint("wit"),
    revokeWITAuthority: revoke("wit"),
  });
}

async function noUpstream(): Promise<never> {
  throw failedPrecondition("upstream authority is not configured", { reason: "no_upstream" });
}

function encode({ authorityId, expiresAt, upstreamAuthorityId }: AuthorityStatus): Answer {
  return {
    authorityId,
    expiresAt: encodeUnixSeconds(expiresAt),
    upstreamAuthoritySubjectKeyId: upstreamAuthorityId,
  };
}
