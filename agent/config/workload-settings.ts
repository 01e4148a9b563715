import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";

/** How callers are told apart. */
export interface WorkloadAttestorSettings {
  readonly unix: UnixAttestorSettings;
  readonly k8s?: K8sAttestorSettings | undefined;
}

/** The kernel's own view of a process. */
export interface UnixAttestorSettings {
  readonly hostRoot: string;
}

/** Where this node's kubelet is, and how each side proves itself. */
export interface KubeletSettings {
  readonly host?: string | undefined;
  readonly port: number;
  readonly caFile: string;
  readonly tokenFile: string;
  readonly insecureSkipVerify: boolean;
}

/** Pods, through the kubelet. */
export interface K8sAttestorSettings {
  readonly kubelet: KubeletSettings;
  readonly nodeName?: string | undefined;
  readonly cgroupRoot?: string | undefined;
  /** Milliseconds. */
  readonly refresh: number;
  /** Milliseconds. */
  readonly wait: number;
  readonly staticPodNamespaces: readonly string[];
  readonly namespaceLabels: boolean;
  readonly podToken: PodTokenSettings;
  readonly apiServer: ApiServerSettings;
}

/** A token of the pod itself, as a second factor. */
export interface PodTokenSettings {
  readonly mode: "off" | "fallback" | "required";
  readonly audience: string;
  readonly folder: string;
}

/** The cluster's API server, for what the kubelet does not know. */
export interface ApiServerSettings {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly caFile: string;
  readonly tokenFile: string;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const file = z.string().min(1);
const port = z.int().min(1).max(65535);

const kubeletSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .optional()
      .describe("Address of the kubelet. Without it: ASSAY_NODE_IP of the environment."),
    port: port.default(10250).describe("Its authenticated port."),
    caFile: file
      .default(`${SERVICE_ACCOUNT}/ca.crt`)
      .describe("PEM file with the CAs that its certificate is verified with."),
    tokenFile: file
      .default(`${SERVICE_ACCOUNT}/token`)
      .describe("File with the token of a service account that may get nodes/pods."),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe("Take any certificate. Whoever answers then says what pods are."),
  })
  .prefault({})
  .describe("The kubelet of this node.");

const apiServerSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .optional()
      .describe("Its address. Without it: KUBERNETES_SERVICE_HOST of the environment."),
    port: port.optional().describe("Its port. Without it: KUBERNETES_SERVICE_PORT, else 443."),
    caFile: file
      .default(`${SERVICE_ACCOUNT}/ca.crt`)
      .describe("PEM file with the CAs that its certificate is verified with."),
    tokenFile: file
      .default(`${SERVICE_ACCOUNT}/token`)
      .describe("File with the token of a service account."),
  })
  .prefault({})
  .describe("The cluster's API server. Only asked for what an option below or above needs of it.");

const podTokenSchema = z
  .strictObject({
    mode: z
      .enum(["off", "fallback", "required"])
      .default("off")
      .describe(
        "With required a pod has no selectors until the API server has said that the token is this pod's, on this node. With fallback this goes for callers whose cgroup names no pod (gVisor, Kata) and that call on a pod's own socket (podSockets of the CSI driver); the cgroup is enough where it names one. The service account has to create tokenreviews.",
      ),
    audience: z
      .string()
      .min(1)
      .default("assay-agent")
      .describe("Audience of the token, as in tokenRequests of the CSIDriver object."),
    folder: file
      .default("/run/assay/pod-tokens")
      .describe("Where the CSI driver puts the tokens of this node's pods (podTokens of its own)."),
  })
  .prefault({})
  .describe("A token of the pod itself, which the CSI driver gets from the kubelet.");

const k8sSchema = z
  .strictObject({
    kubelet: kubeletSchema,
    nodeName: z
      .string()
      .min(1)
      .optional()
      .describe("Name of this node. Without it: ASSAY_NODE_NAME of the environment."),
    cgroupRoot: z
      .string()
      .regex(/^\//, 'expected a path such as "/kubelet"')
      .optional()
      .describe(
        "The kubelet's cgroup root. Without it: that of the kubelet that runs this agent, else /.",
      ),
    refresh: durationSchema
      .prefault("5s")
      .describe("How often labels and owners of pods with open streams are read again."),
    wait: durationSchema
      .prefault("10s")
      .describe("How long a caller is held while only the kubelet can tell what it is."),
    staticPodNamespaces: z
      .array(z.string().min(1))
      .default(["kube-system"])
      .describe("Namespaces in which static pods may have selectors beyond their UID."),
    namespaceLabels: z
      .boolean()
      .default(false)
      .describe(
        "Selectors for labels of namespaces. The service account has to get, list and watch them.",
      ),
    podToken: podTokenSchema,
    apiServer: apiServerSchema,
  })
  .describe("Selectors of pods. Without this key there are none.");

/** See {@link WorkloadAttestorSettings}. */
export const workloadAttestorsSchema: z.ZodPrefault<z.ZodType<WorkloadAttestorSettings>> = z
  .strictObject({
    unix: z
      .strictObject({
        hostRoot: z
          .string()
          .regex(/^\//, "expected an absolute path")
          .default("/")
          .describe("Where the host's root is, for an agent in a container: /proc/1/root."),
      })
      .prefault({})
      .describe("Selectors of processes of this host."),
    k8s: k8sSchema.optional(),
  })
  .prefault({})
  .describe("How this node finds out who calls.");

/** Fills in from the environment what the file leaves out and only the pod's own definition can tell. */
export function withNodeEnvironment<
  T extends { readonly workloadAttestors: WorkloadAttestorSettings },
>(config: T, env: Readonly<Record<string, string | undefined>>): T {
  const { unix, k8s } = config.workloadAttestors;
  if (k8s === undefined) return config;
  const host = k8s.kubelet.host ?? (env["ASSAY_NODE_IP"] || "127.0.0.1");
  const nodeName = k8s.nodeName ?? (env["ASSAY_NODE_NAME"] || undefined);
  const filled = {
    ...k8s,
    nodeName,
    kubelet: { ...k8s.kubelet, host },
    apiServer: {
      ...k8s.apiServer,
      host: k8s.apiServer.host ?? (env["KUBERNETES_SERVICE_HOST"] || undefined),
      port: k8s.apiServer.port ?? Number(env["KUBERNETES_SERVICE_PORT"] || 443),
    },
  };
  return { ...config, workloadAttestors: { unix, k8s: filled } };
}
