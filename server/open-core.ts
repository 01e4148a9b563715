import { availableParallelism } from "node:os";
import process from "node:process";
import type { Logger } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Random } from "../runtime/random.ts";
import type { Clock } from "../runtime/time/clock.ts";
import { SpiffeId, TrustDomain } from "../spiffe/id/spiffe-id.ts";
import { AuditExporter } from "./audit/audit-exporter.ts";
import { fileTarget, streamTarget } from "./audit/audit-target.ts";
import { JournalAuditLog } from "./audit/journal-audit-log.ts";
import { addAuditMetrics } from "./audit/metrics.ts";
import { BundleMessages } from "./bundle/bundle-messages.ts";
import { LocalBundle } from "./bundle/local-bundle.ts";
import { Authorities, type AuthoritySettings } from "./ca/authorities.ts";
import { AuthorityRotator } from "./ca/authority-rotator.ts";
import { CertificateAuthority } from "./ca/certificate-authority.ts";
import { caMetrics } from "./ca/metrics.ts";
import { SigningPool, signingThreadsFor } from "./ca/signing-pool.ts";
import { jwsAlgorithmOf, jwtKeyTypesOf } from "./config/issuing-settings.ts";
import type { ServerConfig } from "./config/server-config.ts";
import { AuthorizedEntries } from "./entries/authorized-entries.ts";
import { DiskKeyManager } from "./keymanager/disk-key-manager.ts";
import type { KeyManager } from "./keymanager/key-manager.ts";
import { MemoryKeyManager } from "./keymanager/memory-key-manager.ts";
import { BannedAgents } from "./node-attestation/banned-agents.ts";
import { type Federation, openFederation } from "./open-federation.ts";
import { issuancePolicy } from "./policy/issuance-policy.ts";
import { type KnownBadKeys, NO_KNOWN_BAD_KEYS } from "./policy/key-policy.ts";
import { readKnownBadKeys } from "./policy/read-known-bad-keys.ts";
import { makeDataFolder, readServerId, serverFiles } from "./server-files.ts";
import { RevocationEpoch } from "./store/revocation-epoch.ts";
import { SqliteStore } from "./store/sqlite/sqlite-store.ts";
import { ServerIdentity } from "./svid/server-identity.ts";
import { CommitTimes } from "./sync/commit-times.ts";
import { RecentChanges } from "./sync/recent-changes.ts";

/** What the core takes from outside. */
export interface CoreDeps {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What a server is without its endpoints: it stores, records, signs and knows who may what. */
export interface Core {
  readonly trustDomain: TrustDomain;
  readonly store: SqliteStore;
  readonly audit: JournalAuditLog;
  /** Present where the configuration wants records to be copied elsewhere. */
  readonly auditExporter: AuditExporter | undefined;
  readonly bundle: LocalBundle;
  readonly bundles: BundleMessages;
  readonly federation: Federation;
  readonly authorities: Authorities;
  readonly rotator: AuthorityRotator;
  readonly issuer: CertificateAuthority;
  readonly identity: ServerIdentity;
  readonly authorization: AuthorizedEntries;
  readonly epoch: RevocationEpoch;
  readonly recent: RecentChanges;
  readonly times: CommitTimes;
}

/**
 * Opens the core in the order of the data; `opening` closes it in reverse. At the first start of a trust domain, this makes its
 * authorities.
 *
 * @throws {Error} when the data folder, the store, the keys or the audit log cannot be used
 */
export async function openCore(deps: CoreDeps, opening: AsyncDisposableStack): Promise<Core> {
  const { config, clock, random, log } = deps;
  const component = (name: string): Logger => log.child({ component: name });
  const trustDomain = TrustDomain.parse(config.trustDomain);
  await makeDataFolder(config);
  const files = serverFiles(config);
  const serverId = await readServerId(config.dataDir, random);

  const store = opening.use(await SqliteStore.open({ path: files.store, clock, random }));
  const keys = await openKeys(config, files.keys);
  const audit = opening.use(
    await JournalAuditLog.open({
      directory: files.audit,
      writer: `server/${serverId}`,
      clock,
      keys,
      log: component("audit"),
      maxSegmentBytes: config.audit.maxSegmentBytes,
    }),
  );
  addAuditMetrics(deps.metrics, audit);
  const auditExporter = await openAuditExporter(deps, audit);

  const bundle = opening.use(
    await LocalBundle.open({
      store,
      trustDomain,
      refreshHintSeconds: seconds(config.federation.refreshHint),
    }),
  );
  const authorities = await Authorities.open({
    store,
    bundle,
    keys,
    audit,
    clock,
    random,
    log: component("ca"),
    trustDomain,
    settings: authoritySettings(config),
    serverId,
  });
  const rotator = new AuthorityRotator({ authorities, clock, log: component("ca") });
  await rotator.rotate();
  // Another refresh hint than before is news too.
  await bundle.change((same) => same);

  const epoch = opening.use(await RevocationEpoch.open(store));
  const banned = opening.use(await BannedAgents.open(store));
  const { knownBadKeys: list } = config.ca;
  const knownBadKeys = list === undefined ? NO_KNOWN_BAD_KEYS : await readKnownBadKeys(list);
  const issuer = openIssuer(
    deps,
    { trustDomain, authorities, audit, epoch, banned, knownBadKeys },
    opening,
  );
  const identity = await ServerIdentity.open({
    trustDomain,
    issuer,
    bundle,
    clock,
    random,
    log: component("identity"),
  });

  const serverIdText = SpiffeId.fromPath(trustDomain, "/spire/server").toString();
  const authorization = opening.use(
    await AuthorizedEntries.load({ store, serverId: serverIdText, log: component("entries") }),
  );
  const bundles = opening.use(await BundleMessages.open(store));
  const federation = await openFederation(deps, { store, audit, bundle, bundles }, opening);
  const recent = opening.use(await RecentChanges.open(store));
  const times = opening.use(new CommitTimes({ store, clock }));
  return {
    trustDomain,
    store,
    audit,
    auditExporter,
    bundle,
    bundles,
    federation,
    authorities,
    rotator,
    issuer,
    identity,
    authorization,
    epoch,
    recent,
    times,
  };
}

function openKeys({ keyManager }: ServerConfig, directory: string): Promise<KeyManager> {
  return keyManager.type === "disk"
    ? DiskKeyManager.open(directory)
    : Promise.resolve(new MemoryKeyManager());
}

async function openAuditExporter(
  { config, clock, log }: CoreDeps,
  audit: JournalAuditLog,
): Promise<AuditExporter | undefined> {
  const { export: path } = config.audit;
  if (path === undefined) return undefined;
  const target = path === "stdout" ? streamTarget(process.stdout) : fileTarget(path);
  return AuditExporter.open({ audit, target, clock, log: log.child({ component: "audit" }) });
}

function authoritySettings({ ca, experimental }: ServerConfig): AuthoritySettings {
  const jwt = jwtKeyTypesOf(ca);
  return {
    ttlSeconds: seconds(ca.authorityTtl),
    keyTypes: {
      x509: ca.keyType,
      jwt,
      ...(experimental.witSvid ? { wit: jwt[0] } : {}),
    },
  };
}

function openIssuer(
  { config, clock, random, log, metrics }: CoreDeps,
  parts: {
    readonly trustDomain: TrustDomain;
    readonly authorities: Authorities;
    readonly audit: JournalAuditLog;
    readonly epoch: RevocationEpoch;
    readonly banned: BannedAgents;
    readonly knownBadKeys: KnownBadKeys;
  },
  opening: AsyncDisposableStack,
): CertificateAuthority {
  const { trustDomain, authorities, audit, epoch, banned, knownBadKeys } = parts;
  const { ca } = config;
  const policy = issuancePolicy({
    trustDomain,
    x509SvidTtlSeconds: seconds(ca.x509SvidTtl),
    jwtSvidTtlSeconds: seconds(ca.jwtSvidTtl),
    agentTtlSeconds: seconds(ca.agentTtl),
    authorityTtlSeconds: seconds(ca.authorityTtl),
    jwtAlgorithms: jwtKeyTypesOf(ca).map(jwsAlgorithmOf),
    audienceAlgorithms: new Map(
      Object.entries(config.jwt.audiences).map(([audience, { algorithm }]) => [
        audience,
        algorithm,
      ]),
    ),
    witSvids: config.experimental.witSvid,
  });
  const threads = signingThreadsFor(availableParallelism());
  const pool = opening.use(
    new SigningPool({
      threads,
      knownBadKeys,
      log: log.child({ component: "ca" }),
    }),
  );
  return new CertificateAuthority({
    active: authorities.active,
    audit,
    policy: () => policy,
    facts: {
      isBanned: (agentId) => banned.has(agentId),
      // Nothing is withdrawn one by one yet: what is gone is not found, and whole authorities are revoked.
      isRevoked: () => false,
      exceptionUntil: () => undefined,
      get revocationEpoch() {
        return epoch.value;
      },
    },
    pool,
    knownBadKeys,
    clock,
    random,
    metrics: caMetrics(metrics),
    ...(ca.jwtIssuer === undefined ? {} : { tokenIssuer: ca.jwtIssuer }),
  });
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
