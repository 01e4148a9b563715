import { SpiffeError } from "../error.ts";
import { characterSet, consistsOf } from "./characters.ts";

/** Longest trust domain name in bytes, which is the limit RFC 3986 3.2.2 draws for a registered name (SPIFFE-ID 2.3). */
export const MAX_TRUST_DOMAIN_BYTES = 255;

const NAME_CHARACTERS = characterSet("abcdefghijklmnopqrstuvwxyz0123456789.-_");

/**
 * Checks a trust domain name (SPIFFE-ID 2.1): 1 to 255 lower-case letters, digits, dots, dashes and underscores. What
 * the name looks like (an address, a DNS name) is nobody's business.
 *
 * @throws {SpiffeError} "trust_domain_empty" | "trust_domain_too_long" | "trust_domain_char"
 */
export function checkTrustDomainName(name: string): void {
  if (name === "") throw new SpiffeError("trust_domain_empty", "trust domain is missing");
  if (name.length > MAX_TRUST_DOMAIN_BYTES) {
    throw new SpiffeError(
      "trust_domain_too_long",
      `trust domain must not be longer than ${MAX_TRUST_DOMAIN_BYTES} bytes`,
    );
  }
  if (!consistsOf(NAME_CHARACTERS, name)) {
    throw new SpiffeError(
      "trust_domain_char",
      "trust domain characters are limited to lower-case letters, digits, dots, dashes and underscores",
    );
  }
}

/**
 * Checks a name that is about to become a new trust domain. Names such as `a..b`, `td.` or `-` are legal in an ID, but
 * common X.509 libraries refuse every certificate that carries them, so no trust domain should be born with one.
 *
 * @throws {SpiffeError} "trust_domain_unwise" and the codes of {@link checkTrustDomainName}
 */
export function checkNewTrustDomainName(name: string): void {
  checkTrustDomainName(name);
  for (const label of name.split(".")) {
    if (!/^[a-z0-9](?:.*[a-z0-9])?$/.test(label)) {
      throw new SpiffeError(
        "trust_domain_unwise",
        "a new trust domain needs labels that begin and end with a letter or digit, since X.509 libraries refuse others",
      );
    }
  }
}
