import * as z from "zod";
import { loadConfig } from "../../runtime/config/load.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { clusterNameSchema } from "./cluster-settings.ts";
import { type ObservabilitySettings, observabilitySchema } from "./endpoint-settings.ts";
import { type RegistrarSettings, registrarSettingsSchema } from "./registrar-settings.ts";
import { type LogSettings, logSchema } from "./running-settings.ts";

/** The configuration of a registrar that is a process of its own. */
export interface RegistrarConfig {
  readonly trustDomain: string;
  /** "host:port" */
  readonly server: string;
  readonly workloadApi: string;
  readonly cluster: string;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly settings: RegistrarSettings;
  readonly observability: ObservabilitySettings;
  readonly log: LogSettings;
}

/** Decodes {@link RegistrarConfig}, and describes each key for the reference. */
export const registrarConfigSchema: z.ZodType<RegistrarConfig> = z.strictObject({
  trustDomain: z
    .string()
    .superRefine((name, context) => {
      try {
        TrustDomain.parse(name);
      } catch (err) {
        context.addIssue(err instanceof Error ? err.message : "invalid");
      }
    })
    .describe("Name of the server's trust domain."),
  server: z
    .string()
    .regex(/^.+:\d{1,5}$/, 'expected "host:port"')
    .describe("Address of the server."),
  workloadApi: z
    .string()
    .min(1)
    .default("unix:///run/assay/workload/api.sock")
    .describe(
      "Where the registrar gets its own X509-SVID. At the server its SPIFFE ID is an operator with the role registrar.",
    ),
  cluster: clusterNameSchema.describe("Name of the cluster at the server."),
  kubeconfig: z
    .string()
    .min(1)
    .optional()
    .describe("Kubeconfig file of the cluster. Without it: the cluster that this process runs in."),
  context: z
    .string()
    .min(1)
    .optional()
    .describe("Context of the kubeconfig file. Without it: its current one."),
  settings: registrarSettingsSchema.describe(
    "How the registrar works. What it may write is decided by the server, by the scope of its role.",
  ),
  observability: observabilitySchema,
  log: logSchema,
});

/** Reads the configuration of a registrar. @throws {ConfigError} with all problems at once */
export function loadRegistrarConfig(path: string): Promise<RegistrarConfig> {
  return loadConfig(registrarConfigSchema, path);
}
