import { type KeyObject, timingSafeEqual } from "node:crypto";

/** What outlives an attestation that failed halfway, in the state file. */
export interface StoredAttestation {
  /** The key of the attestation under way. */
  readonly key: KeyObject | undefined;
  /** SHA-256 of the payload that this key, or the identity after it, was asked for with. */
  readonly payloadDigest: Uint8Array | undefined;
}

/**
 * Remembers with which key a one-time payload was sent. The server binds a join token to the first key that comes with it, so
 * after a lost reply or a restart the same key must be sent again, and after success the token is spent.
 */
export class AttestationMemory {
  #stored: StoredAttestation;

  constructor(stored: StoredAttestation) {
    this.#stored = stored;
  }

  get stored(): StoredAttestation {
    return this.#stored;
  }

  /** Whether the payload with this digest has led to an identity. */
  isSpent(digest: Uint8Array): boolean {
    return this.#stored.key === undefined && this.#isKnown(digest);
  }

  /** The key to send with a payload: the one that was sent with it before, if any. */
  keyFor(digest: Uint8Array): KeyObject | undefined {
    return this.#isKnown(digest) ? this.#stored.key : undefined;
  }

  begin(key: KeyObject, digest: Uint8Array): void {
    this.#stored = { key, payloadDigest: digest };
  }

  succeeded(): void {
    this.#stored = { key: undefined, payloadDigest: this.#stored.payloadDigest };
  }

  #isKnown(digest: Uint8Array): boolean {
    const known = this.#stored.payloadDigest;
    return known !== undefined && known.length === digest.length && timingSafeEqual(known, digest);
  }
}
