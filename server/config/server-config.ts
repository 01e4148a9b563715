import * as z from "zod";
import { loadConfig } from "../../runtime/config/load.ts";
import { checkNewTrustDomainName } from "../../spiffe/id/trust-domain.ts";
import { type AttestorSettings, attestorsSchema } from "./attestor-settings.ts";
import { checkRelations } from "./checks.ts";
import {
  type AdminSocketSettings,
  adminSocketSchema,
  type LimitSettings,
  type ListenSettings,
  limitsSchema,
  listenSchema,
  type ObservabilitySettings,
  type OperatorSettings,
  observabilitySchema,
  operatorsSchema,
} from "./endpoint-settings.ts";
import { type FederationSettings, federationSchema } from "./federation-settings.ts";
import {
  type CaSettings,
  caSchema,
  type ExperimentalSettings,
  experimentalSchema,
  type JwtSettings,
  jwtSchema,
  type KeyManagerSettings,
  keyManagerSchema,
} from "./issuing-settings.ts";
import { type OidcSettings, oidcSchema } from "./oidc-settings.ts";
import { type PublisherSettings, publishersSchema } from "./publisher-settings.ts";
import { type RegistrarsSettings, registrarsSchema } from "./registrar-settings.ts";
import {
  type AgentsSettings,
  type AuditSettings,
  agentsSchema,
  auditSchema,
  type EntriesSettings,
  entriesSchema,
  type LogSettings,
  logSchema,
} from "./running-settings.ts";

/**
 * The whole configuration of a server, as decoded from its file: defaults filled in, durations in milliseconds, sizes in bytes.
 * Secrets are never in it, only the paths of files that hold them.
 */
export interface ServerConfig {
  readonly trustDomain: string;
  readonly dataDir: string;
  readonly listen: ListenSettings;
  readonly adminSocket: AdminSocketSettings;
  readonly operators: readonly OperatorSettings[];
  readonly keyManager: KeyManagerSettings;
  readonly ca: CaSettings;
  readonly jwt: JwtSettings;
  readonly oidc?: OidcSettings | undefined;
  readonly experimental: ExperimentalSettings;
  readonly nodeAttestors: AttestorSettings;
  readonly bundlePublishers: PublisherSettings;
  readonly registrar: RegistrarsSettings;
  readonly federation: FederationSettings;
  readonly agents: AgentsSettings;
  readonly entries: EntriesSettings;
  readonly limits: LimitSettings;
  readonly audit: AuditSettings;
  readonly observability: ObservabilitySettings;
  readonly log: LogSettings;
}

/** Decodes {@link ServerConfig}, and describes each key for the reference. */
export const serverConfigSchema: z.ZodType<ServerConfig> = z
  .strictObject({
    trustDomain: z
      .string()
      .superRefine((name, context) => {
        try {
          checkNewTrustDomainName(name);
        } catch (err) {
          context.addIssue(err instanceof Error ? err.message : "invalid");
        }
      })
      .describe("Name of the trust domain, such as example.org. It cannot be changed later."),
    dataDir: z
      .string()
      .min(1)
      .default("/var/lib/assay/server")
      .describe("Folder for the store, keys and audit log. Made if missing, for this user only."),
    listen: listenSchema,
    adminSocket: adminSocketSchema,
    operators: operatorsSchema,
    keyManager: keyManagerSchema,
    ca: caSchema,
    jwt: jwtSchema,
    oidc: oidcSchema,
    experimental: experimentalSchema,
    nodeAttestors: attestorsSchema,
    bundlePublishers: publishersSchema,
    registrar: registrarsSchema,
    federation: federationSchema,
    agents: agentsSchema,
    entries: entriesSchema,
    limits: limitsSchema,
    audit: auditSchema,
    observability: observabilitySchema,
    log: logSchema,
  })
  .check((context) => {
    for (const { path, message } of checkRelations(context.value)) {
      context.issues.push({ code: "custom", input: context.value, path: [...path], message });
    }
  });

/** Reads the configuration of a server. @throws {ConfigError} with all problems at once */
export function loadServerConfig(path: string): Promise<ServerConfig> {
  return loadConfig(serverConfigSchema, path);
}
