import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Metrics } from "../../runtime/metrics.ts";
import type { LocalBundle } from "../../server/bundle/local-bundle.ts";
import type { Authorities } from "../../server/ca/authorities.ts";
import type { AuthorityRotator } from "../../server/ca/authority-rotator.ts";
import type { CertificateAuthority } from "../../server/ca/certificate-authority.ts";
import type { IssuanceCall, X509SvidOrder } from "../../server/ca/issuance.ts";
import type { SigningPool } from "../../server/ca/signing-pool.ts";
import type { KeyManager } from "../../server/keymanager/key-manager.ts";
import { MemoryKeyManager } from "../../server/keymanager/memory-key-manager.ts";
import { SpiffeId, type TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import { FakeAuditLog } from "../fakes/fake-audit-log.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { FakeRandom } from "../fakes/fake-random.ts";
import { MemoryStore } from "../fakes/memory-store.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { type CaParts, type CaPartsOptions, openCaParts } from "./ca-parts.ts";

/** What a test may want to be different. */
export interface CaWorldOptions extends CaPartsOptions {
  readonly clock?: FakeClock;
  readonly store?: MemoryStore;
  readonly keys?: KeyManager;
  readonly audit?: FakeAuditLog;
  readonly seed?: string;
}

/** A certificate authority with everything it stands on, all of it in memory: authorities made, ready to sign. */
export class CaWorld implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly keys: KeyManager;
  readonly audit: FakeAuditLog;
  readonly recording: RecordingLog;
  readonly metrics: Metrics;
  readonly trustDomain: TrustDomain;
  readonly bundle: LocalBundle;
  readonly authorities: Authorities;
  readonly rotator: AuthorityRotator;
  readonly pool: SigningPool;
  readonly ca: CertificateAuthority;
  readonly #parts: CaParts;

  private constructor(
    parts: CaParts,
    fakes: Pick<CaWorld, "clock" | "store" | "keys" | "audit" | "recording">,
  ) {
    this.#parts = parts;
    this.clock = fakes.clock;
    this.store = fakes.store;
    this.keys = fakes.keys;
    this.audit = fakes.audit;
    this.recording = fakes.recording;
    this.metrics = parts.metrics;
    this.trustDomain = parts.trustDomain;
    this.bundle = parts.bundle;
    this.authorities = parts.authorities;
    this.rotator = parts.rotator;
    this.pool = parts.pool;
    this.ca = parts.ca;
  }

  static async open(options: CaWorldOptions = {}): Promise<CaWorld> {
    const { clock = new FakeClock(), keys = new MemoryKeyManager() } = options;
    const { audit = new FakeAuditLog(), seed = "ca" } = options;
    const store = options.store ?? (await MemoryStore.open(clock));
    const recording = new RecordingLog();
    const random = new FakeRandom(seed);
    const deps = { clock, keys, audit, store, random, log: recording.log };
    const parts = await openCaParts(deps, options);
    return new CaWorld(parts, { clock, store, keys, audit, recording });
  }

  /** A call by an agent. */
  get agentCall(): IssuanceCall {
    return agentCall;
  }

  /** An order for a workload with an entry of its own. */
  workloadOrder(path: string, changes: Partial<X509SvidOrder> = {}): X509SvidOrder {
    return { ...workloadOrder(this.trustDomain, path), ...changes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts[Symbol.asyncDispose]();
  }
}

const AGENT_ID = "spiffe://a.test/spire/agent/x";

/** A call by an agent. */
export const agentCall: IssuanceCall = {
  requestId: "r1",
  source: "10.0.0.1:4711",
  actor: { kind: "agent", id: AGENT_ID, mayMint: false },
  auditActors: [{ kind: "node", id: AGENT_ID, podUid: null, node: null }],
};

/** An order for a workload, with an entry and a key of its own. */
export function workloadOrder(trustDomain: TrustDomain, path: string): X509SvidOrder {
  const spiffeId = SpiffeId.fromPath(trustDomain, path);
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
  };
}

/** A certificate request as a stock agent makes it. */
export function csrFor(privateKey: KeyObject): Uint8Array {
  return createCsr({ privateKey, subject: { country: "US", organization: "SPIRE" } });
}
