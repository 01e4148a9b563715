import { SpiffeError } from "../error.ts";
import { checkPath, joinSegments } from "./path.ts";
import { checkTrustDomainName } from "./trust-domain-name.ts";

/** Longest SPIFFE ID in bytes that we issue, store and take at our interfaces (SPIFFE-ID 2.3). */
export const MAX_SPIFFE_ID_BYTES = 2048;

/**
 * Longest SPIFFE ID in bytes that we read from an SVID that another trust domain issued: SPIFFE-ID 2.3 only advises
 * issuers against IDs beyond 2048 bytes, so a validator leaves some room.
 */
export const MAX_FOREIGN_SPIFFE_ID_BYTES = 8192;

const SCHEME = "spiffe://";
const SLASH = 0x2f;

// A trust domain has an ID and an ID has a trust domain. The two values know each other, hence one file.

/**
 * The name of a trust domain (SPIFFE-ID 2.1). Immutable; equal names are equal trust domains.
 *
 * The name is taken as it is: no case folding, no trimming, no percent-decoding, and no URL parser, since those accept
 * and repair what the standard refuses.
 */
export class TrustDomain {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /**
   * Parses a bare name such as `example.org`. An ID such as `spiffe://example.org` is not a name; for that there is
   * `SpiffeId.parse(text).trustDomain`.
   *
   * @throws {SpiffeError} "trust_domain_empty" | "trust_domain_too_long" | "trust_domain_char"
   */
  static parse(name: string): TrustDomain {
    checkTrustDomainName(name);
    return new TrustDomain(name);
  }

  /** The bare name: `example.org`. */
  get name(): string {
    return this.#name;
  }

  /** The ID of the trust domain itself: `spiffe://example.org`. */
  get id(): SpiffeId {
    return SpiffeId.fromPath(this, "");
  }

  equals(other: TrustDomain): boolean {
    return this.#name === other.#name;
  }

  /** The bare name. */
  toString(): string {
    return this.#name;
  }

  toJSON(): string {
    return this.#name;
  }
}

/**
 * A SPIFFE ID (SPIFFE-ID 2): `spiffe://`, a trust domain, and an optional path. Immutable and valid by construction;
 * equality is equality of the text, so the path's case matters.
 */
export class SpiffeId {
  readonly #uri: string;
  readonly #trustDomain: TrustDomain;

  private constructor(uri: string, trustDomain: TrustDomain) {
    this.#uri = uri;
    this.#trustDomain = trustDomain;
  }

  /**
   * Parses the text form. Nothing is normalised: an upper-case scheme, a port, user information, a query, a fragment
   * (also an empty one) or a percent sign is an error.
   *
   * @param maxBytes longest accepted ID; see {@link MAX_FOREIGN_SPIFFE_ID_BYTES} for the one case that raises it
   * @throws {SpiffeError} "id_too_long" | "id_scheme" and the codes for trust domains and paths
   */
  static parse(uri: string, maxBytes: number = MAX_SPIFFE_ID_BYTES): SpiffeId {
    checkLength(uri, maxBytes);
    if (!uri.startsWith(SCHEME)) {
      throw new SpiffeError("id_scheme", 'SPIFFE ID must begin with "spiffe://"');
    }
    let pathStart = SCHEME.length;
    while (pathStart < uri.length && uri.charCodeAt(pathStart) !== SLASH) pathStart++;
    const trustDomain = TrustDomain.parse(uri.slice(SCHEME.length, pathStart));
    checkPath(uri, pathStart);
    return new SpiffeId(uri, trustDomain);
  }

  /**
   * The ID of a trust domain and a path: `""` for the trust domain itself, else `/a/b`.
   *
   * @throws {SpiffeError} "id_too_long" and the codes for paths
   */
  static fromPath(trustDomain: TrustDomain, path: string): SpiffeId {
    const uri = `${SCHEME}${trustDomain.name}${path}`;
    checkLength(uri, MAX_SPIFFE_ID_BYTES);
    checkPath(path);
    return new SpiffeId(uri, trustDomain);
  }

  /**
   * The ID of a trust domain and path segments: `["a", "b"]` for `/a/b`.
   *
   * @throws {SpiffeError} "id_too_long" and the codes for paths
   */
  static fromSegments(trustDomain: TrustDomain, ...segments: readonly string[]): SpiffeId {
    return SpiffeId.fromPath(trustDomain, joinSegments(segments));
  }

  get trustDomain(): TrustDomain {
    return this.#trustDomain;
  }

  /** The path with its leading slash; empty for the ID of a trust domain. */
  get path(): string {
    return this.#uri.slice(SCHEME.length + this.#trustDomain.name.length);
  }

  /** The ID with segments added below this one's path. */
  append(...segments: readonly string[]): SpiffeId {
    return SpiffeId.fromPath(this.#trustDomain, this.path + joinSegments(segments));
  }

  /** True when the ID is the trust domain's own or lies anywhere below it. */
  memberOf(trustDomain: TrustDomain): boolean {
    return this.#trustDomain.equals(trustDomain);
  }

  equals(other: SpiffeId): boolean {
    return this.#uri === other.#uri;
  }

  /** The text form: `spiffe://example.org/a/b`. */
  toString(): string {
    return this.#uri;
  }

  toJSON(): string {
    return this.#uri;
  }
}

// The length in UTF-16 units is the length in bytes for everything that passes the character rules, and never more
// than it for what does not.
function checkLength(uri: string, maxBytes: number): void {
  if (uri.length > maxBytes) {
    throw new SpiffeError("id_too_long", `SPIFFE ID must not be longer than ${maxBytes} bytes`);
  }
}
