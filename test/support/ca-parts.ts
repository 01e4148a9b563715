import type { Logger } from "../../runtime/log.ts";
import { Metrics } from "../../runtime/metrics.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AuditLog } from "../../server/audit/audit-log.ts";
import { LocalBundle } from "../../server/bundle/local-bundle.ts";
import { Authorities, type AuthoritySettings } from "../../server/ca/authorities.ts";
import { AuthorityRotator } from "../../server/ca/authority-rotator.ts";
import { CertificateAuthority } from "../../server/ca/certificate-authority.ts";
import type { IssuanceFacts } from "../../server/ca/issuer-deps.ts";
import { caMetrics } from "../../server/ca/metrics.ts";
import { SigningPool } from "../../server/ca/signing-pool.ts";
import type { KeyManager } from "../../server/keymanager/key-manager.ts";
import { type JwsAlgorithm, type KeyType, schemeOf } from "../../server/keymanager/key-type.ts";
import { issuancePolicy } from "../../server/policy/issuance-policy.ts";
import { type KnownBadKeys, NO_KNOWN_BAD_KEYS } from "../../server/policy/key-policy.ts";
import type { Store } from "../../server/store/store.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";

/** What a certificate authority stands on. */
export interface CaPartsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly keys: KeyManager;
  readonly audit: AuditLog;
  readonly log: Logger;
}

/** What may be different from a server's defaults. */
export interface CaPartsOptions {
  readonly settings?: Partial<AuthoritySettings>;
  readonly facts?: Partial<IssuanceFacts>;
  /** Signing threads; none by default. */
  readonly threads?: number;
  readonly witSvids?: boolean;
  /** One of type ec-p256 by default. */
  readonly jwtKeyTypes?: readonly KeyType[];
  readonly audienceAlgorithms?: ReadonlyMap<string, JwsAlgorithm>;
  readonly tokenIssuer?: string;
  readonly knownBadKeys?: KnownBadKeys;
}

/** A certificate authority for the trust domain `a.test`, with its first authorities made. */
export interface CaParts extends AsyncDisposable {
  readonly trustDomain: TrustDomain;
  readonly metrics: Metrics;
  readonly bundle: LocalBundle;
  readonly authorities: Authorities;
  readonly rotator: AuthorityRotator;
  readonly pool: SigningPool;
  readonly ca: CertificateAuthority;
}

const DAY_SECONDS = 86_400;

/** Puts a certificate authority together as a server does. */
export async function openCaParts(deps: CaPartsDeps, options: CaPartsOptions): Promise<CaParts> {
  const { clock, random, store, audit, log } = deps;
  const trustDomain = TrustDomain.parse("a.test");
  const metrics = new Metrics();
  const bundle = await LocalBundle.open({ store, trustDomain, refreshHintSeconds: 300 });
  const { witSvids = false, jwtKeyTypes = ["ec-p256"], audienceAlgorithms = new Map() } = options;
  const settings: AuthoritySettings = {
    ttlSeconds: 7 * DAY_SECONDS,
    keyTypes: { x509: "ec-p256", jwt: jwtKeyTypes, ...(witSvids && { wit: "ec-p256" }) },
    ...options.settings,
  };
  const authorities = await Authorities.open({
    ...deps,
    bundle,
    trustDomain,
    settings,
    serverId: "server-1",
  });
  const rotator = new AuthorityRotator({ authorities, clock, log });
  await rotator.rotate();
  const threads = options.threads ?? 0;
  const { knownBadKeys = NO_KNOWN_BAD_KEYS } = options;
  const pool = new SigningPool({ threads, knownBadKeys, log });
  const policy = issuancePolicy({
    trustDomain,
    x509SvidTtlSeconds: 3600,
    jwtSvidTtlSeconds: 300,
    agentTtlSeconds: DAY_SECONDS,
    authorityTtlSeconds: 7 * DAY_SECONDS,
    witSvids,
    jwtAlgorithms: jwtKeyTypes.map((type) => schemeOf(type).jws),
    audienceAlgorithms,
  });
  const facts: IssuanceFacts = {
    isBanned: () => false,
    isRevoked: () => false,
    exceptionUntil: () => undefined,
    revocationEpoch: 0n,
    ...options.facts,
  };
  const ca = new CertificateAuthority({
    active: authorities.active,
    audit,
    policy: () => policy,
    facts,
    pool,
    knownBadKeys,
    clock,
    random,
    metrics: caMetrics(metrics),
    ...(options.tokenIssuer === undefined ? {} : { tokenIssuer: options.tokenIssuer }),
  });
  const parts = { trustDomain, metrics, bundle, authorities, rotator, pool, ca };
  return {
    ...parts,
    [Symbol.asyncDispose]: async () => {
      await pool[Symbol.asyncDispose]();
      bundle[Symbol.dispose]();
    },
  };
}
