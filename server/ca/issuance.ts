import type { AuditSubject } from "../../proto/audit/v1/record.ts";
import type { StatusError } from "../../runtime/errors/status-error.ts";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { IssuanceActor, IssuanceEntry } from "../policy/issuance.ts";

/** The call that leads to a signature: who, from where, under which request. */
export interface IssuanceCall {
  readonly requestId: string;
  /** As in the audit: "unix", an address, or "internal". */
  readonly source: string;
  readonly actor: IssuanceActor;
  /** The actor as the audit names it. */
  readonly auditActors: readonly AuditSubject[];
}

/** An X509-SVID to be signed. */
export interface X509SvidOrder {
  readonly profile: "x509_workload" | "x509_agent" | "x509_server" | "x509_mint";
  readonly spiffeId: SpiffeId;
  readonly dnsNames: readonly string[];
  /** PKCS#10, DER. Only its key counts, and the proof that the sender holds it. */
  readonly csrDer: Uint8Array;
  readonly entry?: IssuanceEntry;
  readonly ttlSeconds?: number;
  /** The holder as the audit names it; made from the SPIFFE ID without it. */
  readonly auditSubject?: AuditSubject;
}

/** One X509-SVID, or why there is none. */
export type X509SvidResult =
  | { readonly issued: true; readonly svid: IssuedX509Svid }
  | { readonly issued: false; readonly error: StatusError };

/** A signed X509-SVID. */
export interface IssuedX509Svid {
  readonly spiffeId: SpiffeId;
  /** DER, the leaf first, up to but not including a self-signed root. */
  readonly chainDer: readonly Uint8Array[];
  /** Lower-case hexadecimal. */
  readonly serialNumberHex: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly authorityId: string;
  /** What shortened the lifetime that was asked for, if anything did. */
  readonly cappedBy?: LifetimeCap;
}

/** What shortened a lifetime: a rule, or the end of the signing authority. */
export type LifetimeCap = "policy" | "authority";

/** A JWT-SVID to be signed. */
export interface JwtSvidOrder {
  readonly profile: "jwt_workload" | "jwt_mint";
  readonly spiffeId: SpiffeId;
  /** At least one. */
  readonly audiences: readonly string[];
  readonly entry?: IssuanceEntry;
  readonly ttlSeconds?: number;
  readonly auditSubject?: AuditSubject;
}

/** A WIT-SVID to be signed. */
export interface WitSvidOrder {
  readonly profile: "wit_workload" | "wit_mint";
  readonly spiffeId: SpiffeId;
  /** SubjectPublicKeyInfo, DER, of the key that the token is bound to. */
  readonly publicKeySpki: Uint8Array;
  /** JOSE algorithm that the holder will sign proofs with. */
  readonly signingAlgorithm: string;
  readonly entry?: IssuanceEntry;
  readonly ttlSeconds?: number;
  readonly auditSubject?: AuditSubject;
}

/** A signed JWT-SVID or WIT-SVID. */
export interface IssuedToken {
  readonly spiffeId: SpiffeId;
  /** Compact serialisation. A secret. */
  readonly token: string;
  readonly jti: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly authorityId: string;
  readonly cappedBy?: LifetimeCap;
}

/** A CA certificate for a server nested under this one. */
export interface DownstreamCaOrder {
  /** PKCS#10, DER. Only its key counts. */
  readonly csrDer: Uint8Array;
  /** The downstream server's own ID, by which it was registered. */
  readonly spiffeId: SpiffeId;
  readonly entry: IssuanceEntry;
  readonly ttlSeconds?: number;
}

/** A signed CA certificate. */
export interface IssuedCa {
  /** DER, the new CA first, up to but not including a self-signed root. */
  readonly chainDer: readonly Uint8Array[];
  readonly serialNumberHex: string;
  readonly notAfter: Date;
  readonly cappedBy?: LifetimeCap;
}

/**
 * Signs credentials: the one place where that is done. Each call asks the policy, records its intent, and only then uses a key.
 * Whole calls fail with UNAVAILABLE, reason "audit_unavailable" or "no_authority".
 */
export interface Issuer {
  /** Answers item by item in the order given, at most 500; one bad CSR does not fail the others. */
  signX509Svids(
    call: IssuanceCall,
    orders: readonly X509SvidOrder[],
  ): Promise<readonly X509SvidResult[]>;
  /** @throws {StatusError} PERMISSION_DENIED and others, with the policy's reason */
  signJwtSvid(call: IssuanceCall, order: JwtSvidOrder): Promise<IssuedToken>;
  /** @throws {StatusError} as for JWT-SVIDs; UNIMPLEMENTED where WIT-SVIDs are off */
  signWitSvid(call: IssuanceCall, order: WitSvidOrder): Promise<IssuedToken>;
  /** @throws {StatusError} */
  signDownstreamCa(call: IssuanceCall, order: DownstreamCaOrder): Promise<IssuedCa>;
}
