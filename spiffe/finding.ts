/**
 * Something that breaks a rule without making the thing unusable: a rule that binds the issuer or publisher and not the
 * reader, or an element that was dropped from a document. For operators to see; nothing may be decided by it.
 */
export interface Finding {
  readonly code: FindingCode;
  readonly message: string;
}

export type FindingCode =
  // certificates
  | "subject_alt_name_not_critical"
  | "key_usage_missing"
  | "key_usage_not_critical"
  | "digital_signature_missing"
  | "ext_key_usage_incomplete"
  | "path_length_without_ca"
  | "signing_id_has_path"
  | "signing_id_invalid"
  // bundles
  | "element_dropped"
  | "duplicate_dropped"
  | "key_id_not_expected"
  | "key_id_shared"
  | "private_key_published"
  | "refresh_hint_adjusted"
  | "not_a_ca";
