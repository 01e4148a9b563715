import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";

/** A token as the server signed it. It is a secret. */
export interface CachedToken {
  readonly token: string;
  readonly spiffeId: string;
  /** Of the entry, at the time of the answer. */
  readonly hint: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** The token's ID, where it has one. */
  readonly jti?: string;
  /** Which key signed it, where the token says so. */
  readonly keyId?: string;
}

/** A bearer token for an audience. */
export type JwtSvid = CachedToken;

/** A token that is bound to a key of the instance. */
export interface WitSvid extends CachedToken {
  /** The private half of the key, as a JWK: a secret. */
  readonly privateJwk: string;
}

/** What a token is asked for: one entry, one instance of it, one set of audiences, which is empty for a WIT-SVID. */
export interface TokenRequest {
  readonly entryId: string;
  readonly instance: string;
  readonly audience: readonly string[];
}

/** Gets a token from the server. @throws {StatusError} */
export type IssueToken<T extends CachedToken> = (
  request: TokenRequest,
  o: { readonly timeoutMs: number; readonly signal: AbortSignal },
) => Promise<T>;

export interface TokenCacheDeps<T extends CachedToken> {
  readonly clock: Clock;
  /** The most tokens that are held; the longest unused goes first. */
  readonly maxSvids: number;
  /**
   * What a token must have been issued under to be served again: the revocation epoch and the policy revision. When it
   * changes, every cached token is void.
   */
  readonly epoch: () => string;
  /** Asks the server. */
  readonly issue: IssueToken<T>;
  /** Another token is held now. */
  readonly onHeld?: (() => void) | undefined;
}

/** A token with what it is held for. */
export interface HeldToken<T extends CachedToken> {
  readonly request: TokenRequest;
  readonly svid: T;
}

/** How long a caller waits for the server while a token that is still valid lies in the cache. */
const RENEW_TIMEOUT_MS = 5_000;
/** How long a caller waits for the server when there is nothing to fall back on. */
const ISSUE_TIMEOUT_MS = 30_000;

/**
 * JWT-SVIDs or WIT-SVIDs by entry, instance, audience and epoch. A token is served from here during the first half of its life; after that
 * the server is asked for a new one, and the old one is the answer only if the server gives none while it is still valid.
 * Callers that want the same token at the same time share one call to the server.
 */
export class TokenCache<T extends CachedToken> {
  readonly #deps: TokenCacheDeps<T>;
  /** In the order of use, the longest unused first. */
  readonly #held = new Map<string, Held<T>>();
  readonly #fetching = new Map<string, Fetch<T>>();

  constructor(deps: TokenCacheDeps<T>) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * @param o.fresh never answer from the cache, since each answer is to have a jti of its own
   * @throws {StatusError} what the server answered, or UNAVAILABLE
   */
  async fetch(
    request: TokenRequest,
    o: { readonly fresh: boolean; readonly signal: AbortSignal },
  ): Promise<T> {
    const epoch = this.#deps.epoch();
    const svid = await this.#fetchUnder(epoch, request, o);
    // What was revoked while the server was signing may be among what this token was signed under.
    return epoch === this.#deps.epoch() ? svid : this.fetch(request, o);
  }

  async #fetchUnder(
    epoch: string,
    request: TokenRequest,
    o: { readonly fresh: boolean; readonly signal: AbortSignal },
  ): Promise<T> {
    if (o.fresh) {
      return this.#deps.issue(request, { timeoutMs: ISSUE_TIMEOUT_MS, signal: o.signal });
    }
    const key = requestKey(request);
    const held = this.#usable(key);
    if (held !== undefined && this.#isYoung(held)) return held;
    try {
      const timeoutMs = held === undefined ? ISSUE_TIMEOUT_MS : RENEW_TIMEOUT_MS;
      return await untilAborted(this.#shared(key, epoch, request, timeoutMs), o.signal);
    } catch (err) {
      const fallback = this.#usable(key);
      if (fallback === undefined || o.signal.aborted || !isTemporary(err)) throw err;
      return fallback;
    }
  }

  /** Forgets every token of an entry, since the entry changed or went. */
  removeEntry(entryId: string): void {
    for (const [key, { request }] of this.#held) {
      if (request.entryId === entryId) this.#held.delete(key);
    }
    for (const [key, fetch] of this.#fetching) {
      if (fetch.entryId === entryId) this.#fetching.delete(key);
    }
  }

  /** Forgets the tokens that none of these keys signed, and lets nothing that is being signed now be kept. */
  keepSignedBy(keyIds: ReadonlySet<string>): void {
    for (const [key, { svid }] of this.#held) {
      if (!keyIds.has(svid.keyId ?? "")) this.#held.delete(key);
    }
    this.#fetching.clear();
  }

  /** What would be served now. */
  stored(): readonly HeldToken<T>[] {
    const epoch = this.#deps.epoch();
    return [...this.#held.values()]
      .filter((held) => held.epoch === epoch && !this.#isOver(held))
      .map(({ request, svid }) => ({ request, svid }));
  }

  /** Takes back what an earlier run of the agent stored, as issued under `epoch`. */
  restore(tokens: readonly HeldToken<T>[], epoch: string): void {
    for (const held of tokens) {
      if (!this.#isOver(held)) this.#put(requestKey(held.request), { ...held, epoch });
    }
  }

  /** Forgets every token. */
  clear(): void {
    this.#held.clear();
    this.#fetching.clear();
  }

  #usable(key: string): T | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    if (this.#isOver(held) || held.epoch !== this.#deps.epoch()) return undefined;
    this.#held.set(key, held);
    return held.svid;
  }

  #isOver({ svid }: HeldToken<T>): boolean {
    return svid.expiresAt.getTime() <= this.#deps.clock.now().getTime();
  }

  #isYoung(svid: T): boolean {
    const halfLife = (svid.issuedAt.getTime() + svid.expiresAt.getTime()) / 2;
    return this.#deps.clock.now().getTime() < halfLife;
  }

  // The shared call belongs to no caller: it goes on when the one who began it leaves. What comes back after the entry has
  // changed or gone is not kept.
  #shared(key: string, epoch: string, request: TokenRequest, timeoutMs: number): Promise<T> {
    const running = this.#fetching.get(key);
    if (running?.epoch === epoch) return running.svid;
    const { entryId } = request;
    const issuing = this.#deps.issue(request, { timeoutMs, signal: new AbortController().signal });
    const fetch: Fetch<T> = {
      entryId,
      epoch,
      svid: issuing
        .then((svid) => {
          if (this.#fetching.get(key) === fetch) {
            this.#put(key, { request, svid, epoch });
            this.#deps.onHeld?.();
          }
          return svid;
        })
        .finally(() => {
          if (this.#fetching.get(key) === fetch) this.#fetching.delete(key);
        }),
    };
    this.#fetching.set(key, fetch);
    return fetch.svid;
  }

  #put(key: string, held: Held<T>): void {
    this.#held.delete(key);
    this.#held.set(key, held);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#deps.maxSvids) break;
      this.#held.delete(oldest);
    }
  }
}

interface Held<T extends CachedToken> extends HeldToken<T> {
  readonly epoch: string;
}

interface Fetch<T> {
  readonly entryId: string;
  readonly epoch: string;
  readonly svid: Promise<T>;
}

function requestKey(request: TokenRequest): string {
  const audience = [...new Set(request.audience)].sort();
  return JSON.stringify([request.entryId, request.instance, audience]);
}

function isTemporary(err: unknown): boolean {
  if (!(err instanceof StatusError)) return true;
  switch (err.code) {
    case Status.NOT_FOUND:
    case Status.PERMISSION_DENIED:
    case Status.INVALID_ARGUMENT:
    case Status.FAILED_PRECONDITION:
    case Status.UNIMPLEMENTED:
      return false;
    default:
      return true;
  }
}
