/** Signing authorities of every kind and algorithm: the authority calls of assay.admin.v1. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { fieldError } from "../../../proto/convert/field.ts";
import type { Admin, SigningAuthoritySchema } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { ListedAuthority, LocalAuthority } from "../../ca/local-authority.ts";
import { JWS_ALGORITHMS, type JwsAlgorithm } from "../../keymanager/key-type.ts";
import type { AuthorityKind } from "../../store/records.ts";
import { authorityCauseOf } from "../authority-cause.ts";
import type { Caller } from "../caller.ts";

type AuthorityCalls = "listAuthorities" | "prepareAuthority";

export function adminAuthorities(
  authorities: LocalAuthority,
): Pick<Handlers<typeof Admin, Caller>, AuthorityCalls> {
  return {
    listAuthorities: async () => ({ authorities: authorities.list().map(encode) }),
    prepareAuthority: async ({ kind, algorithm }, ctx) => {
      const wanted = algorithm === "" ? undefined : decodeAlgorithm(algorithm);
      const made = await authorities.prepare(decodeKind(kind), authorityCauseOf(ctx), wanted);
      return { authority: encode(made) };
    },
  };
}

function decodeKind(text: string): AuthorityKind {
  const kind = (["x509", "jwt", "wit"] as const).find((one) => one === text);
  if (kind === undefined) throw fieldError("kind", 'must be "x509", "jwt" or "wit"');
  return kind;
}

function decodeAlgorithm(text: string): JwsAlgorithm {
  const algorithm = JWS_ALGORITHMS.find((one) => one === text);
  if (algorithm === undefined) {
    throw fieldError("algorithm", `must be empty or one of ${JWS_ALGORITHMS.join(", ")}`);
  }
  return algorithm;
}

function encode(one: ListedAuthority): MessageInitShape<typeof SigningAuthoritySchema> {
  const { kind, algorithm = "", authorityId, state, expiresAt } = one;
  const seconds = BigInt(Math.floor(expiresAt.getTime() / 1000));
  return { kind, algorithm, authorityId, state, expiresAt: seconds };
}
