import * as z from "zod";

/** What holds for the agents of one Kubernetes cluster. */
export interface ClusterRules {
  /** "namespace:name" of the service accounts that agents run as. */
  readonly serviceAccounts: readonly string[];
  /** A token must be meant for one of these. */
  readonly audiences: readonly string[];
  /** Whether an agent has its ID by its node, and keeps it when its pod is replaced, or by its pod. */
  readonly agentIdBy: "node" | "pod";
  /** Keys of the labels that become selectors. */
  readonly nodeLabels: readonly string[];
  readonly podLabels: readonly string[];
}

/** A cluster of the configuration: its rules, and how its API server is reached. */
export interface ClusterSettings extends ClusterRules {
  /** Path of a kubeconfig file. Without it: the cluster that the server runs in. */
  readonly kubeconfig?: string | undefined;
  /** Context of the kubeconfig file. Without it: its current one. */
  readonly context?: string | undefined;
}

/** Node attestation by the token of the agent's pod. */
export interface K8sPsatSettings {
  readonly clusters: Readonly<Record<string, ClusterSettings>>;
}

/** Names of clusters: they become a segment of agents' IDs. */
export const clusterNameSchema: z.ZodType<string, string> = z
  .string()
  .regex(
    /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    'expected 1 to 63 letters, digits, "-", "_" or ".", beginning and ending with a letter or digit',
  );

const DEFAULT_AUDIENCES = ["assay-server", "spire-server"];

const serviceAccount = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/,
    'expected "namespace:name"',
  );

const labelKey = z
  .string()
  .max(317)
  .regex(
    /^([-a-z0-9.]{1,253}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    "expected a label's key",
  );

const rules = {
  serviceAccounts: z
    .array(serviceAccount)
    .min(1)
    .max(100)
    .describe('Service accounts that agents run as, each as "namespace:name".'),
  audiences: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(10)
    .default(DEFAULT_AUDIENCES)
    .describe(
      "Audiences of agents' tokens; one is enough. spire-server is what stock agents ask for.",
    ),
  agentIdBy: z
    .enum(["node", "pod"])
    .default("node")
    .describe(
      "node: the ID ends in the node's UID and outlives the agent's pod. pod: it ends in pod/UID of the pod.",
    ),
  nodeLabels: z
    .array(labelKey)
    .max(100)
    .default([])
    .describe("Keys of node labels that become selectors agent_node_label:KEY:VALUE."),
  podLabels: z
    .array(labelKey)
    .max(100)
    .default([])
    .describe("Keys of labels of the agent's pod that become selectors agent_pod_label:KEY:VALUE."),
};

const namedRulesSchema = z.strictObject({ name: clusterNameSchema, ...rules });

/**
 * Reads the name and the rules of a cluster that does not come from a file; what is left out has the defaults of the file.
 *
 * @throws {Error} naming the first field that is not as it has to be
 */
export function parseClusterRules(raw: unknown): { name: string; rules: ClusterRules } {
  const parsed = namedRulesSchema.safeParse(raw);
  if (!parsed.success) {
    const { path = [], message = "malformed" } = parsed.error.issues[0] ?? {};
    throw new Error(`${path.join(".")}: ${message}`);
  }
  const { name, ...rules } = parsed.data;
  return { name, rules };
}

const clusterSchema = z
  .strictObject({
    ...rules,
    kubeconfig: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Kubeconfig file of the cluster; commands and files that it names are used. Without it: the cluster that the server runs in.",
      ),
    context: z
      .string()
      .min(1)
      .optional()
      .describe("Context of the kubeconfig file. Without it: its current one."),
  })
  .refine(({ kubeconfig, context }) => kubeconfig !== undefined || context === undefined, {
    path: ["context"],
    error: "expected no context without a kubeconfig",
  });

/** See {@link K8sPsatSettings}. */
export const k8sPsatSchema: z.ZodType<K8sPsatSettings> = z
  .strictObject({
    clusters: z
      .record(clusterNameSchema, clusterSchema)
      .default({})
      .describe("Clusters by name. More can be added while running: assay cluster add."),
  })
  .describe("Nodes of Kubernetes clusters, by the token of the agent's pod.");
