import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { AuditSubject } from "../../proto/audit/v1/record.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { renewalInstant } from "../../runtime/time/due.ts";
import { SpiffeId, type TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { X509Svid, type X509SvidSource } from "../../spiffe/svid/x509-svid.ts";
import { bytesEqual } from "../../spiffe/x509/bytes.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import type { LocalBundle } from "../bundle/local-bundle.ts";
import type { IssuanceCall, Issuer } from "../ca/issuance.ts";
import type { BundleRecord } from "../store/records.ts";

/** What the server's identity is made of. */
export interface ServerIdentityDeps {
  readonly trustDomain: TrustDomain;
  readonly issuer: Pick<Issuer, "signX509Svids">;
  readonly bundle: Pick<LocalBundle, "feed" | "record">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const RENEW_AT = 1 / 3;
const generate = promisify(generateKeyPair);

/** Has the server's own X509-SVID signed, and keeps it fresh. The key is made anew each time and is never stored. */
export class ServerIdentity implements X509SvidSource {
  readonly #deps: ServerIdentityDeps;
  readonly #feed: Feed<X509Svid>;

  /** @throws {StatusError} when none can be issued: without it nobody can connect */
  static async open(deps: ServerIdentityDeps): Promise<ServerIdentity> {
    return new ServerIdentity(deps, await issue(deps));
  }

  private constructor(deps: ServerIdentityDeps, first: X509Svid) {
    this.#deps = deps;
    this.#feed = new Feed(first);
  }

  get feed(): ReadFeed<X509Svid> {
    return this.#feed;
  }

  /** The one that is shown now. */
  x509Svid(): X509Svid {
    return this.#feed.value;
  }

  /**
   * Renews when a third of the life has passed, and at once when the authority that signed is tainted or revoked; keeps trying.
   * Resolves once `signal` aborts.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    const backoff = new Backoff({ baseMs: 1_000, maxMs: 60_000, random });
    while (!signal.aborted) {
      await this.#untilDue(signal);
      while (!signal.aborted) {
        try {
          this.#feed.set(await issue(this.#deps));
          backoff.reset();
          break;
        } catch (err) {
          log.warn({ reason: describeError(err) }, "Could not renew the server's own SVID");
          await clock.sleep(backoff.nextMs(), signal);
        }
      }
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock, random, bundle } = this.#deps;
    const { leaf } = this.#feed.value;
    const { notBefore, notAfter } = leaf;
    const due = renewalInstant({ notBefore, notAfter, fraction: RENEW_AT, jitter: 0.1, random });
    const distrusted = new AbortController();
    const either = AbortSignal.any([signal, distrusted.signal]);
    const watching = (async () => {
      for await (const _ of bundle.feed.subscribe(either)) {
        if (!isTrusted(leaf, bundle.record)) distrusted.abort();
      }
    })();
    await sleepUntil(clock, due, either);
    distrusted.abort();
    await watching;
  }
}

/** Whether the authority that signed is still to be relied upon. */
function isTrusted(leaf: Certificate, { x509Authorities }: BundleRecord): boolean {
  const wanted = leaf.authorityKeyId;
  return x509Authorities.some(({ certificateDer, tainted }) => {
    const { subjectKeyId } = Certificate.parse(certificateDer);
    if (tainted || wanted === undefined || subjectKeyId === undefined) return false;
    return bytesEqual(subjectKeyId, wanted);
  });
}

/** Looks at the clock at least every minute, because the wall clock may jump while we sleep. */
async function sleepUntil(clock: Clock, due: Date, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const waitMs = due.getTime() - clock.now().getTime();
    if (waitMs <= 0) return;
    await clock.sleep(Math.min(waitMs, 60_000), signal);
  }
}

async function issue(deps: ServerIdentityDeps): Promise<X509Svid> {
  const spiffeId = SpiffeId.fromPath(deps.trustDomain, "/spire/server");
  const { privateKey } = await generate("ec", { namedCurve: "P-256" });
  const csrDer = createCsr({ privateKey, spiffeId });
  const order = { profile: "x509_server", spiffeId, dnsNames: [], csrDer } as const;
  const [result] = await deps.issuer.signX509Svids(systemCall(spiffeId), [order]);
  if (result === undefined) throw new Error("no result for the server's own SVID");
  if (!result.issued) throw result.error;
  const { chainDer, notAfter, serialNumberHex } = result.svid;
  deps.log.info(
    { serial_number: serialNumberHex, expires_at: notAfter },
    "Issued the server's own SVID",
  );
  return new X509Svid(
    chainDer.map((der) => Certificate.parse(der)),
    privateKey,
  );
}

function systemCall(spiffeId: SpiffeId): IssuanceCall {
  const id = spiffeId.toString();
  const self: AuditSubject = { kind: "system", id, podUid: null, node: null };
  return {
    requestId: "server-identity",
    source: "internal",
    actor: { kind: "system", id, mayMint: false },
    auditActors: [self],
  };
}
