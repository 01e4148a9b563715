import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import type { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { type AcmeSettings, acmeShape } from "./acme-settings.ts";
import { idPatternSchema } from "./id-pattern.ts";

/** How the bundle of a foreign trust domain is fetched; with "none" it is set by hand. */
export type EndpointSettings =
  | { readonly profile: "none" }
  | { readonly profile: "https_web"; readonly url: string }
  | { readonly profile: "https_spiffe"; readonly url: string; readonly endpointId: string };

/** A foreign trust domain that is trusted, and what for. */
export interface RelationshipSettings {
  readonly bundleEndpoint: EndpointSettings;
  readonly bundleFile?: string | undefined;
  readonly allow:
    | "any"
    | { readonly ids: readonly IdPattern[]; readonly audiences: readonly string[] };
  readonly endsAt?: Date | undefined;
  readonly owner: string;
  readonly purpose: string;
}

/** How others get our bundle over HTTPS. */
export interface BundleEndpointSettings {
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly profile:
    | { readonly type: "https_spiffe" }
    | { readonly type: "https_web"; readonly certFile: string; readonly keyFile: string }
    | ({ readonly type: "https_web_acme" } & AcmeSettings);
  readonly maxConnections: number;
}

/** Trust between trust domains. Durations in milliseconds. */
export interface FederationSettings {
  readonly relationships: Readonly<Record<string, RelationshipSettings>>;
  readonly webAuthorities?: string | undefined;
  readonly followRedirects: boolean;
  readonly bundleEndpoint?: BundleEndpointSettings | undefined;
  readonly refreshHint: number;
}

const url = z.string().min(1).max(2048);

const endpointSchema = z.discriminatedUnion("profile", [
  z.strictObject({
    profile: z.literal("none").describe("The bundle is set by hand, or comes from bundleFile."),
  }),
  z.strictObject({
    profile: z.literal("https_web").describe("Its certificate is one of the Web for its host."),
    url: url.describe("An https URL without user information."),
  }),
  z.strictObject({
    profile: z.literal("https_spiffe").describe("Its certificate is an X509-SVID."),
    url: url.describe("An https URL without user information."),
    endpointId: z
      .string()
      .superRefine(checking((text) => SpiffeId.parse(text)))
      .describe("SPIFFE ID of the endpoint. Its trust domain's bundle has to be known."),
  }),
]);

const relationshipSchema = z.strictObject({
  bundleEndpoint: endpointSchema
    .default({ profile: "none" })
    .describe("Where the trust domain's bundle is fetched from."),
  bundleFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with the bundle to begin with, in the SPIFFE format. It never replaces one."),
  allow: z
    .union([
      z.literal("any"),
      z.strictObject({
        ids: z
          .array(idPatternSchema)
          .default([])
          .describe("Patterns for the paths of the IDs that are trusted, such as /payments/*."),
        audiences: z
          .array(z.string().min(1).max(1024))
          .default([])
          .describe('Audiences for which JWT-SVIDs are accepted; "*" for every one.'),
      }),
    ])
    .describe('What the trust domain is trusted for; "any" has to be written out.'),
  endsAt: z
    .string()
    .transform((text, context) => {
      const at = new Date(text);
      if (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(at.getTime())) return at;
      context.addIssue("expected a time such as 2027-01-31T00:00:00Z");
      return z.NEVER;
    })
    .optional()
    .describe("When the relationship ends, RFC 3339. Its bundle is withdrawn everywhere then."),
  owner: z.string().max(1024).default("").describe("Who answers for it."),
  purpose: z.string().max(1024).default("").describe("What it is for."),
});

const bundleEndpointSchema = z.strictObject({
  address: z.string().min(1).default("0.0.0.0").describe("IP address to listen on."),
  port: z.int().min(0).max(65535).default(8443).describe("TCP port; 0 lets the system choose."),
  path: z
    .string()
    .regex(/^\/[A-Za-z0-9._~/-]*$/, "expected a path such as /bundle")
    .default("/")
    .describe("Path of the bundle's document; every other is not found."),
  profile: z
    .discriminatedUnion("type", [
      z.strictObject({
        type: z.literal("https_spiffe").describe("With the server's own X509-SVID."),
      }),
      z.strictObject({
        type: z.literal("https_web").describe("With a certificate of the Web."),
        certFile: z
          .string()
          .min(1)
          .describe("Certificate and intermediates in PEM. Read again when it changes."),
        keyFile: z.string().min(1).describe("Private key in PEM. Read again when it changes."),
      }),
      z.strictObject({
        type: z
          .literal("https_web_acme")
          .describe("With a certificate of the Web that the server obtains itself, by ACME."),
        ...acmeShape,
      }),
    ])
    .default({ type: "https_spiffe" })
    .describe("How the endpoint proves who it is."),
  maxConnections: z
    .int()
    .min(1)
    .default(1000)
    .describe("Connections at the same time. More are closed at once."),
});

/** See {@link FederationSettings}. */
export const federationSchema: z.ZodPrefault<z.ZodType<FederationSettings>> = z
  .strictObject({
    relationships: z
      .record(
        z.string().superRefine(checking((name) => TrustDomain.parse(name))),
        relationshipSchema,
      )
      .default({})
      .describe("Foreign trust domains by name. Others can be added with `assay federation`."),
    webAuthorities: z
      .string()
      .min(1)
      .optional()
      .describe("File with the authorities of https_web endpoints in PEM. Without it: the Web's."),
    followRedirects: z
      .boolean()
      .default(true)
      .describe("Whether an endpoint may redirect; each place is authenticated as the first."),
    bundleEndpoint: bundleEndpointSchema
      .optional()
      .describe("Serves our own bundle over HTTPS. Without it there is no endpoint."),
    refreshHint: durationSchema
      .prefault("5m")
      .describe("How often others are told to look for a newer bundle of ours."),
  })
  .prefault({})
  .describe("Trust between trust domains.");

function checking(parse: (text: string) => unknown) {
  return (text: string, context: z.RefinementCtx): void => {
    try {
      parse(text);
    } catch (err) {
      context.addIssue(err instanceof Error ? err.message : "invalid");
    }
  };
}
