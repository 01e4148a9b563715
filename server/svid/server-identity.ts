import { generateKeyPair, type KeyObject } from "node:crypto";
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
import { createCsr } from "../../spiffe/x509/csr.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import type { IssuanceCall, Issuer } from "../ca/issuance.ts";

/** The X509-SVID that the server shows to agents, with its key. */
export interface ServerIdentity {
  readonly chainPem: string;
  /** A secret. */
  readonly privateKeyPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What the server's identity is made of. */
export interface ServerIdentityDeps {
  readonly trustDomain: TrustDomain;
  readonly issuer: Pick<Issuer, "signX509Svids">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const RENEW_AT = 1 / 3;
const generate = promisify(generateKeyPair);

/** Has the server's own X509-SVID signed, and keeps it fresh. The key is made anew each time and is never stored. */
export class ServerIdentitySource {
  readonly #deps: ServerIdentityDeps;
  readonly #feed: Feed<ServerIdentity>;

  /** @throws {StatusError} when none can be issued: without it nobody can connect */
  static async open(deps: ServerIdentityDeps): Promise<ServerIdentitySource> {
    return new ServerIdentitySource(deps, await issue(deps));
  }

  private constructor(deps: ServerIdentityDeps, first: ServerIdentity) {
    this.#deps = deps;
    this.#feed = new Feed(first);
  }

  get feed(): ReadFeed<ServerIdentity> {
    return this.#feed;
  }

  /** Renews when a third of the life has passed, and keeps trying. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    const backoff = new Backoff({ baseMs: 1_000, maxMs: 60_000, random });
    while (!signal.aborted) {
      const due = renewalInstant({ ...this.#feed.value, fraction: RENEW_AT, jitter: 0.1, random });
      await sleepUntil(clock, due, signal);
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
}

/** Looks at the clock at least every minute, because the wall clock may jump while we sleep. */
async function sleepUntil(clock: Clock, due: Date, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const waitMs = due.getTime() - clock.now().getTime();
    if (waitMs <= 0) return;
    await clock.sleep(Math.min(waitMs, 60_000), signal);
  }
}

async function issue(deps: ServerIdentityDeps): Promise<ServerIdentity> {
  const spiffeId = SpiffeId.fromPath(deps.trustDomain, "/spire/server");
  const { privateKey } = await generate("ec", { namedCurve: "P-256" });
  const csrDer = createCsr({ privateKey, spiffeId });
  const order = { profile: "x509_server", spiffeId, dnsNames: [], csrDer } as const;
  const [result] = await deps.issuer.signX509Svids(systemCall(spiffeId), [order]);
  if (result === undefined) throw new Error("no result for the server's own SVID");
  if (!result.issued) throw result.error;
  const { chainDer, notBefore, notAfter, serialNumberHex } = result.svid;
  deps.log.info(
    { serial_number: serialNumberHex, expires_at: notAfter },
    "Issued the server's own SVID",
  );
  return {
    chainPem: chainDer.map((der) => formatPem("CERTIFICATE", der)).join(""),
    privateKeyPem: pemOf(privateKey),
    notBefore,
    notAfter,
  };
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

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
