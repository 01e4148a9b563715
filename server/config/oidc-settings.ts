import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { loadConfig } from "../../runtime/config/load.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { type AcmeSettings, acmeShape } from "./acme-settings.ts";
import { type ObservabilitySettings, observabilitySchema } from "./endpoint-settings.ts";
import { issuerProblem } from "./issuer-url.ts";
import { JWS_ALGORITHMS, type JwsAlgorithmSetting } from "./issuing-settings.ts";
import { type LogSettings, logSchema } from "./running-settings.ts";

/** HTTPS on the network, or HTTP on a Unix socket. */
export type OidcListenSettings =
  | {
      readonly type: "https";
      readonly address: string;
      readonly port: number;
      readonly certFile: string;
      readonly keyFile: string;
    }
  | ({
      readonly type: "https_acme";
      readonly address: string;
      readonly port: number;
    } & AcmeSettings)
  | { readonly type: "socket"; readonly path: string; readonly mode: number };

/** How the documents of an OIDC provider are served. Durations in milliseconds. */
export interface OidcServing {
  readonly listen: OidcListenSettings;
  readonly maxAge: number;
  readonly algorithms: readonly JwsAlgorithmSetting[];
  readonly maxConnections: number;
}

/** The OIDC provider in the server; its issuer is that of the tokens. */
export interface OidcSettings extends OidcServing {
  readonly hosts: readonly string[];
}

/** The issuer of a trust domain. */
export interface OidcIssuerSettings {
  readonly issuer: string;
  readonly hosts: readonly string[];
}

/** The whole configuration of `assay oidc run`. */
export interface OidcConfig extends OidcServing {
  readonly workloadApi: string;
  readonly trustDomains: Readonly<Record<string, OidcIssuerSettings>>;
  readonly observability: ObservabilitySettings;
  readonly log: LogSettings;
}

const where = {
  address: z.ipv4().or(z.ipv6()).default("0.0.0.0").describe("IP address to listen on."),
  port: z.int().min(0).max(65535).default(443).describe("TCP port; 0 lets the system choose."),
};

const listenSchema = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("https").describe("HTTPS on the network."),
      ...where,
      certFile: z
        .string()
        .min(1)
        .describe("Certificate and intermediates in PEM. Read again when it changes."),
      keyFile: z.string().min(1).describe("Private key in PEM. Read again when it changes."),
    }),
    z.strictObject({
      type: z
        .literal("https_acme")
        .describe("HTTPS on the network, with a certificate that is obtained by ACME."),
      ...where,
      ...acmeShape,
    }),
    z.strictObject({
      type: z.literal("socket").describe("HTTP on a Unix socket, for a proxy that does the TLS."),
      path: z.string().min(1).max(107).describe("Path of the socket."),
      mode: z
        .string()
        .regex(/^0?[0-7]{3}$/, "expected three octal digits, such as 0660")
        .default("0660")
        .transform((text) => Number.parseInt(text, 8))
        .describe("Permission bits of the socket. What is served is public."),
    }),
  ])
  .describe("Where the documents are served.");

const hosts = z
  .array(z.string().regex(/^[a-z0-9.:[\]-]{1,255}$/, "expected host or host:port in lower case"))
  .default([])
  .describe("More names that requests may be addressed to, beside the issuer's own.");

const servingShape = {
  listen: listenSchema,
  maxAge: durationSchema
    .prefault("5m")
    .describe("How long caches may keep the documents. A revoked key may be taken for that long."),
  algorithms: z
    .array(z.enum(JWS_ALGORITHMS))
    .min(1)
    .default(["RS256", "ES256"])
    .describe("Keys for other algorithms are left out: clouds know no more."),
  maxConnections: z
    .int()
    .min(1)
    .default(1000)
    .describe("Connections at the same time. More are closed at once."),
};

/** See {@link OidcSettings}. */
export const oidcSchema: z.ZodOptional<z.ZodType<OidcSettings>> = z
  .strictObject({ ...servingShape, hosts })
  .optional()
  .describe("OIDC discovery for the issuer ca.jwtIssuer, served by the server.");

/** Whether verifiers can find the issuer under the name that the certificate is obtained for. */
export function isCovered(issuer: string, listen: OidcListenSettings): boolean {
  return listen.type !== "https_acme" || new URL(issuer).hostname === listen.domain;
}

/** What to say when it is not. */
export function notCovered(issuer: string): string {
  return `expected ${new URL(issuer).hostname}, the host of the issuer ${issuer}`;
}

const MAX_AGE_MS = 86_400_000;

/** Decodes {@link OidcConfig}, and describes each key for the reference. */
export const oidcConfigSchema: z.ZodType<OidcConfig> = z
  .strictObject({
    workloadApi: z
      .string()
      .min(1)
      .default("unix:///run/assay/workload/api.sock")
      .describe("Where the JWT authorities come from. Any SPIFFE Workload API will do."),
    trustDomains: z
      .record(
        z.string().min(1).max(255),
        z.strictObject({
          issuer: z
            .string()
            .max(1024)
            .describe("Issuer of its tokens, such as https://oidc.example.org."),
          hosts,
        }),
      )
      .describe("The trust domains whose keys are served, by name, each with its issuer."),
    ...servingShape,
    observability: observabilitySchema,
    log: logSchema,
  })
  .check((context) => {
    const { trustDomains, maxAge, listen } = context.value;
    const problem = (path: readonly string[], message: string): void => {
      context.issues.push({ code: "custom", input: context.value, path: [...path], message });
    };
    if (Object.keys(trustDomains).length === 0) {
      problem(["trustDomains"], "expected at least one trust domain");
    }
    const seen = new Set<string>();
    for (const [name, { issuer }] of Object.entries(trustDomains)) {
      try {
        TrustDomain.parse(name);
      } catch (err) {
        problem(["trustDomains", name], err instanceof Error ? err.message : "invalid");
      }
      const wrong = seen.has(issuer) ? "expected an issuer of its own" : issuerProblem(issuer);
      if (wrong !== undefined) problem(["trustDomains", name, "issuer"], wrong);
      else if (!isCovered(issuer, listen)) problem(["listen", "domain"], notCovered(issuer));
      seen.add(issuer);
    }
    if (maxAge > MAX_AGE_MS) problem(["maxAge"], "expected at most 1d");
  });

/** Reads the configuration of `assay oidc run`. @throws {ConfigError} with all problems at once */
export function loadOidcConfig(path: string): Promise<OidcConfig> {
  return loadConfig(oidcConfigSchema, path);
}
