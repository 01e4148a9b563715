import * as z from "zod";
import { metadataSchema, nameSchema, type ObjectMetadata, parserOf } from "./metadata.ts";

/** Where a pod is in its life; Succeeded and Failed are final. */
export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

/** What we keep of a pod. */
export interface Pod extends ObjectMetadata {
  readonly namespace: string;
  /** Absent until the pod is scheduled; never changes after that. */
  readonly nodeName?: string | undefined;
  /** Absent for mirror pods. */
  readonly serviceAccountName?: string | undefined;
  readonly hostname?: string | undefined;
  readonly subdomain?: string | undefined;
  readonly phase: PodPhase;
  /** Init containers (sidecars among them), containers, ephemeral containers. */
  readonly containers: readonly Container[];
  readonly podIps: readonly string[];
  /** Address of its node. */
  readonly hostIp?: string | undefined;
}

/** One container of a pod. */
export interface Container {
  readonly name: string;
  readonly kind: "init" | "regular" | "ephemeral";
  readonly image: string;
  /** The image by digest, once it runs. */
  readonly imageId?: string | undefined;
  /** "waiting" before it has run and between restarts. */
  readonly state: ContainerState;
}

/** What a container does. */
export type ContainerState = "waiting" | "running" | "terminated";

/** Whether none of the pod's containers can run any process now. */
export function hasStopped({ phase, containers }: Pod): boolean {
  if (phase === "Succeeded" || phase === "Failed") return true;
  return containers.every(({ state }) => state === "terminated");
}

const containersSchema = z
  .array(z.object({ name: nameSchema, image: z.string().max(1024).default("") }))
  .max(1000)
  .nullish();

const statusesSchema = z
  .array(
    z.object({
      name: nameSchema,
      imageID: z.string().max(1024).optional(),
      state: z.object({ running: z.unknown(), terminated: z.unknown() }).partial().nullish(),
    }),
  )
  .max(1000)
  .nullish();

type Specs = z.infer<typeof containersSchema>;
type Statuses = z.infer<typeof statusesSchema>;

const podSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    nodeName: nameSchema.optional(),
    serviceAccountName: nameSchema.optional(),
    hostname: z.string().max(253).optional(),
    subdomain: z.string().max(253).optional(),
    initContainers: containersSchema,
    containers: containersSchema,
    ephemeralContainers: containersSchema,
  }),
  status: z
    .object({
      phase: z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"]).optional(),
      podIPs: z.array(z.object({ ip: z.string().max(64) })).nullish(),
      hostIP: z.string().max(64).optional(),
      initContainerStatuses: statusesSchema,
      containerStatuses: statusesSchema,
      ephemeralContainerStatuses: statusesSchema,
    })
    .nullish(),
});

/** Reads a Pod. @throws {Error} naming the field */
export const parsePod: (raw: unknown) => Pod = parserOf(
  "pod",
  podSchema.transform(({ metadata, spec, status }, context): Pod => {
    const { namespace } = metadata;
    if (namespace === undefined) {
      context.addIssue("expected a namespace");
      return z.NEVER;
    }
    const { nodeName, serviceAccountName, hostname, subdomain } = spec;
    return {
      ...metadata,
      namespace,
      nodeName,
      serviceAccountName,
      hostname,
      subdomain,
      phase: status?.phase ?? "Pending",
      containers: [
        ...joined("init", spec.initContainers, status?.initContainerStatuses),
        ...joined("regular", spec.containers, status?.containerStatuses),
        ...joined("ephemeral", spec.ephemeralContainers, status?.ephemeralContainerStatuses),
      ],
      podIps: (status?.podIPs ?? []).map(({ ip }) => ip),
      hostIp: status?.hostIP,
    };
  }),
);

function joined(kind: Container["kind"], specs: Specs, statuses: Statuses): readonly Container[] {
  const statusByName = new Map((statuses ?? []).map((status) => [status.name, status]));
  return (specs ?? []).map(({ name, image }): Container => {
    const status = statusByName.get(name);
    const imageId = status?.imageID ?? "";
    return {
      name,
      kind,
      image,
      ...(imageId === "" ? {} : { imageId }),
      state: stateOf(status?.state),
    };
  });
}

function stateOf(state: NonNullable<Statuses>[number]["state"]): ContainerState {
  if (state?.running != null) return "running";
  return state?.terminated == null ? "waiting" : "terminated";
}
