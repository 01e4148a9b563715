/**
 * From SVIDs and bundles to Envoy's messages. Secrets are packed once and shared by all streams: a stream remembers the reference,
 * which is also how it knows what has changed.
 */
import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { DataSource } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import { DataSourceSchema } from "../../../proto/gen/envoy/config/core/v3/base_pb.ts";
import {
  type CertificateValidationContext,
  CertificateValidationContextSchema,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
  SubjectAltNameMatcherSchema,
  type TlsCertificate,
  TlsCertificateSchema,
} from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import { SecretSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { SPIFFECertValidatorConfigSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts";
import { parseConcatenatedCertificates } from "../../../spiffe/x509/certificate.ts";
import { formatPem } from "../../../spiffe/x509/pem.ts";
import type { CachedBundle } from "../../cache/bundle-cache.ts";
import type { WorkloadIdentity } from "../../cache/workload-view.ts";

/** The URL of the one type of resource that this service has. */
export const SECRET_TYPE_URL: string = `type.googleapis.com/${SecretSchema.typeName}`;

export type { Any };

/** The certificate and key of an X509-SVID. */
export function certificateOf(
  identity: Pick<WorkloadIdentity, "certificateChainDer" | "privateKeyPkcs8">,
): TlsCertificate {
  const chain = parseConcatenatedCertificates(identity.certificateChainDer);
  return create(TlsCertificateSchema, {
    certificateChain: pem(...chain.map(({ der }) => formatPem("CERTIFICATE", der))),
    privateKey: pem(formatPem("PRIVATE KEY", identity.privateKeyPkcs8)),
  });
}

/** Trust in one trust domain by the proxy's ordinary validator. It does not look at names, so federated IDs are the proxy's to check. */
export function plainContext(
  bundle: CachedBundle,
  matchers: readonly SubjectAltNameMatcher[],
): CertificateValidationContext {
  return trustIn(authoritiesPem(bundle), matchers);
}

/** A context that is valid and accepts nobody: its one authority vouches for nothing. */
export function voidContext(authorityDer: Uint8Array): CertificateValidationContext {
  return trustIn([formatPem("CERTIFICATE", authorityDer)], []);
}

function trustIn(
  authorities: readonly string[],
  matchers: readonly SubjectAltNameMatcher[],
): CertificateValidationContext {
  return create(CertificateValidationContextSchema, {
    trustedCa: pem(...authorities),
    matchTypedSubjectAltNames: [...matchers],
  });
}

/** Trust by Envoy's SPIFFE validator: each trust domain vouches for its own IDs only. */
export function spiffeContext(
  bundles: readonly CachedBundle[],
  matchers: readonly SubjectAltNameMatcher[],
): CertificateValidationContext {
  const config = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: bundles.map((bundle) => ({
      name: bundle.trustDomain,
      trustBundle: pem(...authoritiesPem(bundle)),
    })),
  });
  return create(CertificateValidationContextSchema, {
    customValidatorConfig: {
      name: "envoy.tls.cert_validator.spiffe",
      typedConfig: anyPack(SPIFFECertValidatorConfigSchema, config),
    },
    matchTypedSubjectAltNames: [...matchers],
  });
}

/**
 * What keeps to the limits of these bundles, none when there are none. The matchers of a context are alternatives, so as soon as
 * one trust domain is limited the others are named too.
 */
export function limitMatchers(bundles: readonly CachedBundle[]): SubjectAltNameMatcher[] {
  if (bundles.every(({ limits }) => limits.isAny)) return [];
  return bundles.flatMap(({ trustDomain, limits }) => {
    const id = `spiffe://${trustDomain}`;
    if (limits.isAny) return [uriMatcher({ case: "prefix", value: `${id}/` })];
    const host = id.replaceAll(".", "\\.");
    return limits.idPatterns.map((pattern) =>
      uriMatcher({ case: "safeRegex", value: { regex: `${host}${pattern.toRegexSource()}` } }),
    );
  });
}

/** A secret under a name, as it travels. */
export function packSecret(
  name: string,
  secret: TlsCertificate | CertificateValidationContext,
): Any {
  const type =
    secret.$typeName === TlsCertificateSchema.typeName
      ? { case: "tlsCertificate" as const, value: secret }
      : { case: "validationContext" as const, value: secret };
  return anyPack(SecretSchema, create(SecretSchema, { name, type }));
}

type Match =
  | { readonly case: "prefix"; readonly value: string }
  | { readonly case: "safeRegex"; readonly value: { readonly regex: string } };

function uriMatcher(matchPattern: Match): SubjectAltNameMatcher {
  return create(SubjectAltNameMatcherSchema, {
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern },
  });
}

function authoritiesPem({ wire }: CachedBundle): string[] {
  return wire.x509Authorities.map(({ asn1 }) => formatPem("CERTIFICATE", asn1));
}

function pem(...blocks: readonly string[]): DataSource {
  const inlineBytes = Buffer.from(blocks.join(""), "latin1");
  return create(DataSourceSchema, { specifier: { case: "inlineBytes", value: inlineBytes } });
}
