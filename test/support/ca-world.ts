import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { Metrics } from "../../runtime/metrics.ts";
import { LocalBundle } from "../../server/bundle/local-bundle.ts";
import { Authorities, type AuthoritySettings } from "../../server/ca/authorities.ts";
import { AuthorityRotator } from "../../server/ca/authority-rotator.ts";
import { CertificateAuthority } from "../../server/ca/certificate-authority.ts";
import type { IssuanceCall, X509SvidOrder } from "../../server/ca/issuance.ts";
import type { IssuanceFacts } from "../../server/ca/issuer-deps.ts";
import { caMetrics } from "../../server/ca/metrics.ts";
import { SigningPool } from "../../server/ca/signing-pool.ts";
import type { KeyManager } from "../../server/keymanager/key-manager.ts";
import { MemoryKeyManager } from "../../server/keymanager/memory-key-manager.ts";
import { issuancePolicy } from "../../server/policy/issuance-policy.ts";
import { SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import { FakeAuditLog } from "../fakes/fake-audit-log.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { FakeRandom } from "../fakes/fake-random.ts";
import { MemoryStore } from "../fakes/memory-store.ts";
import { RecordingLog } from "../fakes/recording-log.ts";

/** What a test may want to be different. */
export interface CaWorldOptions {
  readonly clock?: FakeClock;
  readonly store?: MemoryStore;
  readonly keys?: KeyManager;
  readonly audit?: FakeAuditLog;
  readonly settings?: Partial<AuthoritySettings>;
  readonly facts?: Partial<IssuanceFacts>;
  readonly threads?: number;
  readonly witSvids?: boolean;
  readonly tokenIssuer?: string;
  readonly seed?: string;
}

const DAY_SECONDS = 86_400;

/** A certificate authority with everything it stands on, all of it in memory: authorities made, ready to sign. */
export class CaWorld implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly keys: KeyManager;
  readonly audit: FakeAuditLog;
  readonly recording: RecordingLog;
  readonly metrics: Metrics = new Metrics();
  readonly trustDomain: TrustDomain = TrustDomain.parse("a.test");
  readonly bundle: LocalBundle;
  readonly authorities: Authorities;
  readonly rotator: AuthorityRotator;
  readonly pool: SigningPool;
  readonly ca: CertificateAuthority;

  static async open(options: CaWorldOptions = {}): Promise<CaWorld> {
    const { clock = new FakeClock() } = options;
    const store = options.store ?? (await MemoryStore.open(clock));
    const { keys = new MemoryKeyManager(), audit = new FakeAuditLog() } = options;
    const trustDomain = TrustDomain.parse("a.test");
    const bundle = await LocalBundle.open({ store, trustDomain, refreshHintSeconds: 300 });
    const recording = new RecordingLog();
    const random = new FakeRandom(options.seed ?? "ca");
    const settings: AuthoritySettings = {
      ttlSeconds: 7 * DAY_SECONDS,
      keyTypes: { x509: "ec-p256", jwt: "ec-p256", ...(options.witSvids && { wit: "ec-p256" }) },
      ...options.settings,
    };
    const deps = { store, bundle, keys, audit, clock, random, log: recording.log };
    const serverId = "server-1";
    const authorities = await Authorities.open({ ...deps, trustDomain, settings, serverId });
    const world = new CaWorld({ ...deps, authorities, recording }, options);
    await world.rotator.rotate();
    return world;
  }

  private constructor(
    parts: {
      readonly clock: FakeClock;
      readonly store: MemoryStore;
      readonly keys: KeyManager;
      readonly audit: FakeAuditLog;
      readonly bundle: LocalBundle;
      readonly authorities: Authorities;
      readonly random: FakeRandom;
      readonly recording: RecordingLog;
    },
    options: CaWorldOptions,
  ) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.keys = parts.keys;
    this.audit = parts.audit;
    this.bundle = parts.bundle;
    this.authorities = parts.authorities;
    this.recording = parts.recording;
    const { authorities, clock, audit, random } = parts;
    this.rotator = new AuthorityRotator({ authorities, clock, log: parts.recording.log });
    this.pool = new SigningPool({
      threads: options.threads ?? 0,
      knownBadKeys: new Set(),
      log: parts.recording.log,
    });
    const policy = issuancePolicy({
      trustDomain: this.trustDomain,
      x509SvidTtlSeconds: 3600,
      jwtSvidTtlSeconds: 300,
      agentTtlSeconds: DAY_SECONDS,
      authorityTtlSeconds: 7 * DAY_SECONDS,
      witSvids: options.witSvids ?? false,
    });
    this.ca = new CertificateAuthority({
      active: authorities.active,
      audit,
      policy: () => policy,
      facts: {
        isBanned: () => false,
        isRevoked: () => false,
        exceptionUntil: () => undefined,
        revocationEpoch: 0n,
        ...options.facts,
      },
      pool: this.pool,
      clock,
      random,
      metrics: caMetrics(this.metrics),
      ...(options.tokenIssuer === undefined ? {} : { tokenIssuer: options.tokenIssuer }),
    });
  }

  /** A call by an agent. */
  get agentCall(): IssuanceCall {
    const id = "spiffe://a.test/spire/agent/x";
    return {
      requestId: "r1",
      source: "10.0.0.1:4711",
      actor: { kind: "agent", id, mayMint: false },
      auditActors: [{ kind: "node", id, podUid: null, node: null }],
    };
  }

  /** An order for a workload with an entry of its own. */
  workloadOrder(path: string, changes: Partial<X509SvidOrder> = {}): X509SvidOrder {
    const spiffeId = SpiffeId.fromPath(this.trustDomain, path);
    return {
      profile: "x509_workload",
      spiffeId,
      dnsNames: [],
      csrDer: csrFor(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
      entry: {
        id: `entry${path.replaceAll("/", "-")}`,
        revision: 0,
        spiffeId: spiffeId.toString(),
        allowedAudiences: [],
        downstream: false,
      },
      ...changes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    this.bundle[Symbol.dispose]();
  }
}

/** A certificate request as a stock agent makes it. */
export function csrFor(privateKey: KeyObject): Uint8Array {
  return createCsr({ privateKey, subject: { country: "US", organization: "SPIRE" } });
}
