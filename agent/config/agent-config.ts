import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { loadConfig } from "../../runtime/config/load.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { checkRelations } from "./checks.ts";
import {
  type BrokerSettings,
  brokerSchema,
  type DelegationSettings,
  delegationSchema,
} from "./delegation-settings.ts";
import {
  type NodeAttestorSettings,
  nodeAttestorSchema,
  type TrustBundleSettings,
  trustBundleSchema,
} from "./node-settings.ts";
import { type SdsSettings, sdsSchema } from "./sds-settings.ts";
import {
  type AuditSettings,
  auditSchema,
  type ExperimentalSettings,
  experimentalSchema,
  type LimitSettings,
  type LogSettings,
  limitsSchema,
  logSchema,
  type ObservabilitySettings,
  type OfflineSettings,
  observabilitySchema,
  offlineSchema,
  type SocketSettings,
  type StateSettings,
  socketSchema,
  stateSchema,
  type WorkloadSocketSettings,
  workloadSocketSchema,
} from "./serving-settings.ts";
import { type WorkloadAttestorSettings, workloadAttestorsSchema } from "./workload-settings.ts";

/** The whole configuration of an agent, as decoded from its file: defaults filled in, durations in milliseconds. */
export interface AgentConfig {
  readonly trustDomain: string;
  readonly servers: readonly string[];
  readonly trustBundle: TrustBundleSettings;
  readonly nodeAttestor: NodeAttestorSettings;
  readonly state: StateSettings;
  readonly workloadSocket: WorkloadSocketSettings;
  readonly adminSocket: SocketSettings;
  readonly sds: SdsSettings;
  readonly delegation: DelegationSettings;
  readonly broker: BrokerSettings;
  readonly experimental: ExperimentalSettings;
  readonly workloadAttestors: WorkloadAttestorSettings;
  readonly svidKeyType: "ec-p256" | "ec-p384" | "rsa-2048";
  /** Milliseconds. */
  readonly waitForIdentity: number;
  readonly offline: OfflineSettings;
  readonly audit: AuditSettings;
  readonly limits: LimitSettings;
  readonly observability: ObservabilitySettings;
  readonly log: LogSettings;
}

const SERVER_ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):[1-9]\d{0,4}$/;

/** Decodes {@link AgentConfig}, and describes each key for the reference. */
export const agentConfigSchema: z.ZodType<AgentConfig> = z
  .strictObject({
    trustDomain: z
      .string()
      .superRefine((name, context) => {
        try {
          TrustDomain.parse(name);
        } catch (err) {
          context.addIssue(err instanceof Error ? err.message : "invalid");
        }
      })
      .describe("Name of the trust domain, such as example.org."),
    servers: z
      .array(z.string().regex(SERVER_ADDRESS, 'expected "host:port"'))
      .min(1)
      .describe("Servers of the trust domain. The agent begins at any one and fails over."),
    trustBundle: trustBundleSchema,
    nodeAttestor: nodeAttestorSchema,
    state: stateSchema,
    workloadSocket: workloadSocketSchema,
    adminSocket: socketSchema("/run/assay/agent/admin.sock", 0o600).describe(
      "Where the administrator of this machine asks the agent.",
    ),
    sds: sdsSchema,
    delegation: delegationSchema,
    broker: brokerSchema,
    experimental: experimentalSchema,
    workloadAttestors: workloadAttestorsSchema,
    svidKeyType: z
      .enum(["ec-p256", "ec-p384", "rsa-2048"])
      .default("ec-p256")
      .describe("Key type of workloads' X509-SVIDs."),
    waitForIdentity: durationSchema
      .prefault("800ms")
      .describe("How long a new workload is held while its identity may be on its way."),
    offline: offlineSchema,
    audit: auditSchema,
    limits: limitsSchema,
    observability: observabilitySchema(8083),
    log: logSchema,
  })
  .check((context) => {
    for (const { path, message } of checkRelations(context.value)) {
      context.issues.push({ code: "custom", input: context.value, path: [...path], message });
    }
  });

/** Reads the configuration of an agent. @throws {ConfigError} with all problems at once */
export function loadAgentConfig(path: string): Promise<AgentConfig> {
  return loadConfig(agentConfigSchema, path);
}
