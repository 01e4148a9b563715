import { decodeSeconds } from "../../proto/convert/field.ts";
import { decodeMemberId } from "../../proto/convert/id.ts";
import { encodeStatus, okStatus } from "../../proto/convert/status.ts";
import { encodeJwtSvid, encodeWitSvid, encodeX509Svid } from "../../proto/convert/svid.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import type { JWTSVID } from "../../proto/gen/spire/api/types/jwtsvid_pb.ts";
import type { WITSVID } from "../../proto/gen/spire/api/types/witsvid_pb.ts";
import type { X509SVID } from "../../proto/gen/spire/api/types/x509svid_pb.ts";
import { invalidArgument, unimplemented } from "../../runtime/errors/status-error.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { IssuedToken, IssuedX509Svid, Issuer } from "../ca/issuance.ts";
import {
  issueWorkloadJwtSvid,
  issueWorkloadWitSvid,
  issueWorkloadX509Svids,
  type WorkloadSvidDeps,
} from "../svid/issue-workload-svids.ts";
import { mintX509Svid } from "../svid/mint-svid.ts";
import { agentOf, type Caller } from "./caller.ts";
import { issuanceCallOf } from "./issuance-call.ts";

/** What the service needs. */
export interface SvidServiceDeps {
  readonly trustDomain: TrustDomain;
  readonly issuer: Issuer;
  readonly workload: WorkloadSvidDeps;
}

/** The most SVIDs in one call; stock agents ask for no more. */
export const MAX_SVIDS_PER_CALL = 500;

/** spire.api.server.svid.v1.SVID. */
export function svidService(deps: SvidServiceDeps): Registration<Caller> {
  const { issuer, trustDomain, workload } = deps;
  return service(SVID, {
    mintX509SVID: async ({ csr, ttl }, ctx) => {
      const ttlSeconds = decodeSeconds("ttl", ttl);
      const svid = await mintX509Svid(issuer, { csrDer: csr, ttlSeconds }, issuanceCallOf(ctx));
      return { svid: encodeX509(svid, "") };
    },

    mintJWTSVID: async ({ id, audience, ttl }, ctx) => {
      const token = await issuer.signJwtSvid(issuanceCallOf(ctx), {
        profile: "jwt_mint",
        spiffeId: decodeMemberId("id", id, trustDomain),
        audiences: audience,
        ...ttlOf(ttl),
      });
      return { svid: encodeJwt(token, "") };
    },

    mintWITSVID: async ({ id, publicKey, ttl, signingAlgorithm }, ctx) => {
      const token = await issuer.signWitSvid(issuanceCallOf(ctx), {
        profile: "wit_mint",
        spiffeId: decodeMemberId("id", id, trustDomain),
        publicKeySpki: publicKey,
        signingAlgorithm,
        ...ttlOf(ttl),
      });
      return { svid: encodeWit(token, "") };
    },

    batchNewX509SVID: async ({ params }, ctx) => {
      checkBatch(params);
      const requests = params.map(({ entryId, csr }) => ({ entryId, csrDer: csr }));
      const { id } = agentOf(ctx.caller);
      const results = await issueWorkloadX509Svids(workload, id, requests, issuanceCallOf(ctx));
      return {
        results: results.map((result) =>
          result.issued
            ? { status: okStatus(), svid: encodeX509(result.svid, result.hint) }
            : { status: encodeStatus(result.error) },
        ),
      };
    },

    newJWTSVID: async ({ entryId, audience }, ctx) => {
      const request = { entryId, audiences: audience };
      const { id } = agentOf(ctx.caller);
      const { token, hint } = await issueWorkloadJwtSvid(
        workload,
        id,
        request,
        issuanceCallOf(ctx),
      );
      return { svid: encodeJwt(token, hint) };
    },

    batchNewWITSVID: async ({ params }, ctx) => {
      checkBatch(params);
      const { id } = agentOf(ctx.caller);
      const call = issuanceCallOf(ctx);
      const results = await Promise.all(
        params.map(async ({ entryId, publicKey, signingAlgorithm }) => {
          const request = { entryId, publicKeySpki: publicKey, signingAlgorithm };
          try {
            const { token, hint } = await issueWorkloadWitSvid(workload, id, request, call);
            return { status: okStatus(), svid: encodeWit(token, hint) };
          } catch (err) {
            return { status: encodeStatus(err) };
          }
        }),
      );
      return { results };
    },

    newDownstreamX509CA: async () => {
      throw unimplemented("this server does not sign for nested servers", {
        reason: "nesting_unsupported",
      });
    },
  });
}

function checkBatch(params: readonly unknown[]): void {
  if (params.length > MAX_SVIDS_PER_CALL) {
    throw invalidArgument(
      `params: has ${params.length} items, at most ${MAX_SVIDS_PER_CALL} are allowed`,
      { reason: "field_invalid" },
    );
  }
}

function ttlOf(ttl: number): { ttlSeconds?: number } {
  const ttlSeconds = decodeSeconds("ttl", ttl);
  return ttlSeconds === 0 ? {} : { ttlSeconds };
}

function encodeX509(svid: IssuedX509Svid, hint: string): X509SVID {
  return encodeX509Svid({
    id: svid.spiffeId,
    certificateChainDer: svid.chainDer,
    expiresAt: svid.notAfter,
    hint,
  });
}

function encodeJwt(token: IssuedToken, hint: string): JWTSVID {
  return encodeJwtSvid({ ...token, id: token.spiffeId, hint });
}

function encodeWit(token: IssuedToken, hint: string): WITSVID {
  return encodeWitSvid({ ...token, id: token.spiffeId, hint });
}
