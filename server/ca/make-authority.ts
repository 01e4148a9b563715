import type { Random } from "../../runtime/random.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { KeyHandle } from "../keymanager/key-manager.ts";
import type { AuthorityKind, AuthorityRecord } from "../store/records.ts";
import { keyIdOf, spkiOf } from "./authority.ts";
import { signCaCertificate } from "./ca-certificate.ts";
import { BACKDATE_SECONDS } from "./certificate-profile.ts";
import { drawSerialNumbers } from "./serial-number.ts";
import { subjectKeyId } from "./subject-key-id.ts";

/** What a new authority is made from. */
export interface NewAuthority {
  readonly kind: AuthorityKind;
  readonly trustDomain: TrustDomain;
  readonly key: KeyHandle;
  readonly now: Date;
  readonly ttlSeconds: number;
  readonly random: Random;
}

/** The name of the authority that a key will be: known before the key is used. */
export function authorityIdOf(kind: AuthorityKind, key: KeyHandle): string {
  return kind === "x509"
    ? Buffer.from(subjectKeyId(spkiOf(key.publicKey))).toString("hex")
    : keyIdOf(key.publicKey);
}

/**
 * Makes a prepared authority for a key. An X.509 authority signs its own certificate here; an authority under another one would have it
 * signed there, and its chain would be longer.
 */
export async function makeAuthority(order: NewAuthority): Promise<AuthorityRecord> {
  const { kind, key, ttlSeconds } = order;
  const nowSeconds = Math.floor(order.now.getTime() / 1000);
  const notBefore = nowSeconds - BACKDATE_SECONDS;
  const notAfter = nowSeconds + ttlSeconds;
  return {
    id: authorityIdOf(kind, key),
    kind,
    state: "prepared",
    keyRef: key.id,
    publicKeyDer: spkiOf(key.publicKey),
    certificateChainDer: kind === "x509" ? [await selfSign(order, notBefore, notAfter)] : [],
    upstreamAuthorityId: "",
    notBefore,
    notAfter,
    createdAt: nowSeconds,
  };
}

async function selfSign(order: NewAuthority, from: number, to: number): Promise<Uint8Array> {
  const { trustDomain, key, random } = order;
  const [serial = new Uint8Array(), subject = new Uint8Array()] = drawSerialNumbers(random, 2);
  return signCaCertificate(
    {
      serial,
      notBefore: new Date(from * 1000),
      notAfter: new Date(to * 1000),
      spkiDer: spkiOf(key.publicKey),
      trustDomainId: trustDomain.id.toString(),
      // Many verifiers try every root of the same name; a name for each spares them that.
      subjectSerial: BigInt(`0x${Buffer.from(subject).toString("hex")}`).toString(),
    },
    key,
  );
}
