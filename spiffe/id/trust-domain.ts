/** The trust domain lives beside the SPIFFE ID, since each is made from the other; see spiffe-id.ts. */
export { TrustDomain } from "./spiffe-id.ts";
export { checkNewTrustDomainName, MAX_TRUST_DOMAIN_BYTES } from "./trust-domain-name.ts";
