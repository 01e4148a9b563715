/**
 * Every way in which data from outside can break a rule of the SPIFFE standards (or of the RFCs they build on), as a
 * closed set of stable codes: programs switch on the code, people read the message.
 */
export type SpiffeErrorCode =
  // SPIFFE-ID
  | "id_scheme"
  | "id_too_long"
  | "trust_domain_empty"
  | "trust_domain_char"
  | "trust_domain_too_long"
  | "trust_domain_unwise"
  | "path_leading_slash"
  | "path_trailing_slash"
  | "path_empty_segment"
  | "path_dot_segment"
  | "path_char"
  | "id_not_authorized"
  // encodings
  | "der_malformed"
  | "pem_malformed"
  | "base64_malformed"
  | "json_syntax"
  | "json_duplicate_member"
  | "json_too_deep"
  | "json_too_large"
  // X.509
  | "certificate_malformed"
  | "certificate_too_large"
  | "certificate_extension"
  | "certificate_extension_duplicate"
  | "public_key_unsupported"
  | "csr_malformed"
  | "csr_too_large"
  | "csr_key_unsupported"
  | "signature_algorithm"
  // X509-SVID
  | "svid_uri_san"
  | "svid_no_path"
  | "svid_is_ca"
  | "svid_key_usage"
  | "svid_ext_key_usage"
  | "svid_empty"
  | "svid_private_key"
  | "svid_id_mismatch"
  | "svid_chain"
  // path validation
  | "certificate_expired"
  | "certificate_not_yet_valid"
  | "certificate_critical_extension"
  | "chain_untrusted"
  | "chain_too_long"
  | "chain_name_constraints"
  // JWS, JWT-SVID, WIT-SVID
  | "jws_malformed"
  | "jws_too_large"
  | "jws_header"
  | "jws_algorithm"
  | "jws_type"
  | "jws_critical"
  | "jws_key_id"
  | "jws_signature"
  | "jwk_malformed"
  | "jwk_unsupported"
  | "jwt_claims"
  | "jwt_subject"
  | "jwt_audience"
  | "jwt_expired"
  | "jwt_not_yet_valid"
  | "wit_confirmation"
  // bundles
  | "bundle_malformed"
  | "bundle_too_large"
  | "bundle_not_found"
  | "bundle_map_malformed"
  // limits of a federation
  | "federation_id"
  | "federation_audience"
  | "federation_ended"
  // Workload Endpoint
  | "endpoint_address"
  | "endpoint_not_configured"
  // Workload API
  | "workload_message"
  | "identity_withdrawn"
  | "source_closed";

/**
 * Data from outside is not what the standards ask for. Wrong use by the programmer is a `TypeError` instead.
 *
 * The message says which rule was broken. It never holds a token, a key or a request, and quotes hostile text only
 * through {@link quote}.
 */
export class SpiffeError extends Error {
  override readonly name = "SpiffeError";
  readonly code: SpiffeErrorCode;

  constructor(code: SpiffeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const MAX_QUOTED_CHARACTERS = 80;

/** Hostile text as it may stand in an error message or a log: a JSON string, cut to 80 characters. */
export function quote(text: string): string {
  return text.length <= MAX_QUOTED_CHARACTERS
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, MAX_QUOTED_CHARACTERS))}... (${text.length} characters)`;
}
