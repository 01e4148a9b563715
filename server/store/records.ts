/**
 * What the store holds, as plain immutable data: strings, numbers, bigints, booleans, byte arrays. Records cross the boundary
 * to the store's worker thread by structured clone, so they carry no classes and no functions.
 *
 * Every instant is a whole number of Unix seconds; 0 means "never" or "not set". Every duration is in seconds; 0 means "the
 * server's default". SPIFFE IDs are complete URIs, trust domains are names without scheme, digests are lower-case hexadecimal.
 */

import type { Selector } from "../../proto/selector.ts";
import type { ClusterRules } from "../config/cluster-settings.ts";
import type { JwsAlgorithmSetting } from "../config/issuing-settings.ts";

/** A fact that an attestor found, or that an entry asks for. */
export type SelectorRecord = Selector;

/** Who may own an issued private key; decision D11. The empty string means the narrowest that the platform knows. */
export type InstanceScope = "" | "pod" | "container" | "process" | "shared";

/** What the JWT-SVIDs of an entry are signed with. The empty string means the default. */
export type EntryJwtAlgorithm = "" | JwsAlgorithmSetting;

/** The part of a registration entry that decides: whom it matches, what it grants, and how it is issued. */
export interface AuthorizedEntryRecord {
  /** Chosen by the creator, or a UUID. */
  readonly id: string;
  readonly spiffeId: string;
  readonly parentId: string;
  /** In the order of compareSelectors, each once. */
  readonly selectors: readonly SelectorRecord[];
  readonly x509SvidTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  /** Trust domain names, sorted, without duplicates. */
  readonly federatesWith: readonly string[];
  readonly admin: boolean;
  readonly downstream: boolean;
  readonly storeSvid: boolean;
  readonly expiresAt: number;
  /** In the order given: the first becomes the certificate's common name. */
  readonly dnsNames: readonly string[];
  readonly hint: string;
  /** 0 when created, one more with every update. */
  readonly revisionNumber: number;
  readonly createdAt: number;
  readonly disableX509SvidPrefetch: boolean;
  readonly jwtSvidIncludeJti: boolean;
  /** Audiences that a JWT-SVID of this entry may name; empty means any. */
  readonly allowedAudiences: readonly string[];
  /** Those of `federatesWith` whose bundles the workload may have by themselves even if the relationship is limited. */
  readonly unrestrictedFederation: readonly string[];
  readonly instanceScope: InstanceScope;
  readonly jwtAlgorithm: EntryJwtAlgorithm;
}

/** Where an entry came from, when something other than a person made it. Empty strings where nothing applies. */
export interface EntryOriginRecord {
  /** The kind of maker, such as "ClusterSPIFFEID" or "join_token". */
  readonly kind: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
}

/** The part of a registration entry that describes: whose it is and why it exists (D14). Stock clients do not see it. */
export interface EntrySideRecord {
  readonly owner: string;
  readonly purpose: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ticket: string;
  readonly reviewBy: number;
  /** Who made the entry, as the audit log names callers; set by the store. */
  readonly createdBy: string;
  /** Who changed it last; set by the store. */
  readonly updatedBy: string;
  readonly origin?: EntryOriginRecord;
}

/** A whole registration entry. */
export interface EntryRecord extends AuthorizedEntryRecord {
  readonly side: EntrySideRecord;
}

/** When an entry was last of use. Kept outside the revision log and written in batches, so it may lag by a minute. */
export interface EntryUsageRecord {
  readonly lastIssuedAt: number;
  readonly lastDeliveredAt: number;
}

/** A node that has attested, under the SPIFFE ID of its agent. */
export interface AttestedNodeRecord {
  /** The agent's SPIFFE ID. */
  readonly id: string;
  readonly attestationType: string;
  /** Serial number of the certificate in use, lower-case hexadecimal without leading zeros; empty when banned. */
  readonly serial: string;
  readonly expiresAt: number;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo: the pinned key. */
  readonly publicKeyHash: string;
  /** A renewed certificate that was handed out and not yet used; empty when there is none. */
  readonly newSerial: string;
  readonly newExpiresAt: number;
  readonly newPublicKeyHash: string;
  /** In the order of compareSelectors, each once. */
  readonly selectors: readonly SelectorRecord[];
  readonly banned: boolean;
  readonly canReattest: boolean;
  readonly agentVersion: string;
  readonly attestedAt: number;
}

/** A join token; the token itself is never stored. */
export interface JoinTokenRecord {
  /** SHA-256 of the token. */
  readonly tokenHash: string;
  readonly expiresAt: number;
  /** SHA-256 of the SubjectPublicKeyInfo that claimed it; empty while unclaimed. */
  readonly publicKeyHash: string;
  readonly createdAt: number;
  readonly createdBy: string;
}

/** One certificate of a bundle. */
export interface X509AuthorityRecord {
  readonly certificateDer: Uint8Array;
  readonly tainted: boolean;
}

/** One public key of a bundle, for JWT-SVIDs or WIT-SVIDs. */
export interface KeyAuthorityRecord {
  readonly keyId: string;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  readonly expiresAt: number;
  readonly tainted: boolean;
}

/** A trust domain's bundle: our own or a federated one. */
export interface BundleRecord {
  readonly trustDomain: string;
  readonly x509Authorities: readonly X509AuthorityRecord[];
  readonly jwtAuthorities: readonly KeyAuthorityRecord[];
  readonly witAuthorities: readonly KeyAuthorityRecord[];
  /** 0 when the bundle names none. */
  readonly refreshHintSeconds: number;
  /** An unsigned 64-bit number; nothing of it is lost. */
  readonly sequence: bigint;
}

/** How the bundle of a foreign trust domain is fetched; with "none" it is set by hand. */
export type BundleEndpointRecord =
  | { readonly profile: "none" }
  | { readonly profile: "https_web"; readonly url: string }
  | {
      readonly profile: "https_spiffe";
      readonly url: string;
      /** ID of the endpoint, of whichever trust domain. */
      readonly endpointId: string;
    };

/** What a foreign trust domain is trusted for. */
export interface FederationLimitsRecord {
  readonly any: boolean;
  /** Patterns of paths. */
  readonly idPatterns: readonly string[];
  readonly audiences: readonly string[];
  readonly endsAt: number;
  readonly purpose: string;
  readonly owner: string;
}

/** That we trust a foreign trust domain. It binds us alone: whether the other one trusts us is its business. */
export interface RelationshipRecord {
  readonly trustDomain: string;
  readonly endpoint: BundleEndpointRecord;
  readonly limits: FederationLimitsRecord;
  /** When it came to its end; its bundle is withdrawn then. */
  readonly endedAt: number;
  /** Deleted, and kept only since entries still name the trust domain. */
  readonly isDeleted: boolean;
  /** Who keeps it: "config", "api" for the public API, "admin", or "cluster/NAME" for a registrar. */
  readonly origin: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly updatedBy: string;
}

export type AuthorityKind = "x509" | "jwt" | "wit";

/** prepared, then active, then old; an old one may be tainted, and then revoked. */
export type AuthorityState = "prepared" | "active" | "old" | "tainted" | "revoked";

/** A signing authority of the trust domain (D16). It belongs to no server; see {@link AuthorityHolderRecord}. */
export interface AuthorityRecord {
  /** X.509: the subject key identifier in hexadecimal. JWT and WIT: the key ID. */
  readonly id: string;
  readonly kind: AuthorityKind;
  readonly state: AuthorityState;
  /** The key manager's name for the private key. */
  readonly keyRef: string;
  readonly publicKeyDer: Uint8Array;
  /** The authority's own certificate first, then those up to the root's child; empty for JWT and WIT. */
  readonly certificateChainDer: readonly Uint8Array[];
  /** Subject key identifier of the upstream authority that signed it; empty when self-signed. */
  readonly upstreamAuthorityId: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly createdAt: number;
}

/** A server that holds the private key of an authority. */
export interface AuthorityHolderRecord {
  readonly authorityId: string;
  readonly serverId: string;
}

/** A Kubernetes cluster that was added while running. */
export interface ClusterRecord {
  readonly name: string;
  readonly access: ClusterAccessRecord;
  readonly rules: ClusterRules;
  readonly createdAt: number;
  readonly createdBy: string;
}

/** How a cluster's API server is reached. It holds credentials: it is for the one who connects, and for nobody else. */
export interface ClusterAccessRecord {
  /** An https URL. */
  readonly server: string;
  readonly tls: {
    /** PEM, as the others. */
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly servername?: string | undefined;
  };
  readonly token?: string | undefined;
}

/** A value that belongs to the store rather than to a configuration file. */
export interface SettingRecord {
  readonly key: string;
  readonly value: string;
}
