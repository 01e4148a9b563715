import { create } from "@bufbuild/protobuf";
import { CachedBundle } from "../../agent/cache/bundle-cache.ts";
import type { JwtSvid, WitSvid } from "../../agent/cache/token-cache.ts";
import type {
  GrantedEntry,
  Subscription,
  ViewStatus,
  WorkloadCaller,
  WorkloadIdentity,
  WorkloadView,
  WorkloadViews,
} from "../../agent/cache/workload-view.ts";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Selector } from "../../proto/selector.ts";
import { permissionDenied, unimplemented } from "../../runtime/errors/status-error.ts";
import { Feed } from "../../runtime/feed.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { secondsFromNow, TestAuthority, testKey, testNow, uriSan } from "../support/test-ca.ts";
import { makeToken, signed } from "../support/test-token.ts";

const jwtKey = testKey();

/**
 * A stand-in for the agent's cache: every caller of this machine has the identities that the test says. Its CA and JWT key are
 * real, so that what it hands out verifies at {@link testNow}.
 */
export class FakeWorkloadViews implements WorkloadViews {
  readonly authority: TestAuthority = TestAuthority.root();
  readonly status: Feed<ViewStatus> = new Feed<ViewStatus>({
    serving: "ready",
    revision: 1n,
    serverRevision: 1n,
    connected: true,
  });
  readonly selectorKinds: Feed<number> = new Feed(0);
  readonly allBundles: Feed<readonly CachedBundle[]> = new Feed<readonly CachedBundle[]>([]);
  readonly #view: Feed<WorkloadView>;
  /** Callers of streams, as attested. */
  readonly callers: WorkloadCaller[] = [];
  /** Versions that were written to a stream. */
  readonly delivered: number[] = [];
  /** SPIFFE IDs of the X509-SVIDs that were written with each of them. */
  readonly deliveredIds: string[][] = [];

  constructor() {
    this.#view = new Feed(this.#viewOf([]));
    const { bundle } = this.#view.value;
    this.allBundles.set(bundle === undefined ? [] : [bundle]);
  }

  /** Grants these identities from now on, each with a new key and certificate. */
  grant(...paths: readonly string[]): void {
    this.#view.set(this.#viewOf(paths));
  }

  /** Puts a view in as it is. */
  set(change: Partial<WorkloadView>): void {
    const before = this.#view.value;
    this.#view.set({ ...before, version: before.version + 1, ...change });
  }

  openX509(caller: WorkloadCaller): Subscription {
    this.callers.push(caller);
    return {
      feed: this.#view,
      delivered: ({ version, identities }) => {
        this.delivered.push(version);
        this.deliveredIds.push(identities.map(({ spiffeId }) => spiffeId));
      },
      [Symbol.dispose]: () => {},
    };
  }

  openEntries(caller: WorkloadCaller): Subscription {
    return this.openX509(caller);
  }

  granted(): readonly GrantedEntry[] {
    return this.#view.value.entries;
  }

  asksFor(): boolean {
    return false;
  }

  couldGrant(_caller: unknown, isUndecided: (selector: Selector) => boolean): boolean {
    return isUndecided({ type: "unix", value: "uid:0" });
  }

  async fetchJwtSvid({
    entryId,
    audience,
  }: Parameters<WorkloadViews["fetchJwtSvid"]>[0]): Promise<JwtSvid> {
    const entry = this.#view.value.entries.find((each) => each.entryId === entryId);
    if (entry === undefined) throw permissionDenied("no identity issued");
    return {
      token: this.token(entry.spiffeId, audience),
      spiffeId: entry.spiffeId,
      hint: entry.hint,
      issuedAt: testNow,
      expiresAt: secondsFromNow(300),
    };
  }

  /** What a WIT-SVID for an identity is; off unless a test puts it in. */
  witSvid: ((spiffeId: string) => Promise<WitSvid>) | undefined;

  get offersWitSvids(): boolean {
    return this.witSvid !== undefined;
  }

  async fetchWitSvid({ entryId }: Parameters<WorkloadViews["fetchWitSvid"]>[0]): Promise<WitSvid> {
    const entry = this.#view.value.entries.find((each) => each.entryId === entryId);
    if (entry === undefined) throw permissionDenied("no identity issued");
    if (this.witSvid === undefined) throw unimplemented("not offered");
    return this.witSvid(entry.spiffeId);
  }

  /** A token that the fake's JWT authority signed. */
  token(sub: string, aud: readonly string[], more: object = {}): string {
    const exp = secondsFromNow(300).getTime() / 1000;
    const header = { alg: "ES256", kid: "k1", typ: "JWT" };
    return makeToken(header, { sub, aud, exp, ...more }, signed("ES256", jwtKey.privateKey));
  }

  #viewOf(paths: readonly string[]): WorkloadView {
    const entries = paths.map((path) => entryOf(path));
    const x509Authorities = [{ asn1: this.authority.der }];
    const publicKey = jwtKey.publicKey.export({ format: "der", type: "spki" });
    return {
      version: (this.#view?.value.version ?? 0) + 1,
      serving: "ready",
      identities: entries.map((entry) => this.#identityOf(entry)),
      entries,
      pending: 0,
      bundle: new CachedBundle(
        create(BundleSchema, {
          trustDomain: "td.test",
          x509Authorities,
          jwtAuthorities: [{ publicKey, keyId: "k1" }],
        }),
      ),
      federatedBundles: new Map(),
      limitedBundles: new Map(),
    };
  }

  #identityOf({ entryId, spiffeId, hint }: GrantedEntry): WorkloadIdentity {
    const leaf = this.authority.leaf({ subjectAltName: uriSan(spiffeId) });
    return {
      entryId,
      spiffeId,
      hint,
      serialNumber: Certificate.parse(leaf.der).serialNumberHex,
      certificateChainDer: leaf.der,
      privateKeyPkcs8: leaf.privateKey.export({ format: "der", type: "pkcs8" }),
      expiresAt: secondsFromNow(3600),
      federatesWith: [],
    };
  }
}

function entryOf(path: string): GrantedEntry {
  return { entryId: path, spiffeId: `spiffe://td.test${path}`, hint: "", allowedAudiences: [] };
}
