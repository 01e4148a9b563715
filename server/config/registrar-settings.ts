import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { clusterNameSchema } from "./cluster-settings.ts";
import { idPatternSchema } from "./id-pattern.ts";

/** What the registrar of one cluster may write, and how it works. Durations in milliseconds. */
export interface RegistrarSettings {
  /** Patterns of which each SPIFFE ID matches one. */
  readonly ids: readonly IdPattern[];
  /** Patterns of parents beside the cluster's own agents. */
  readonly parents: readonly IdPattern[];
  /** Whether resources of the cluster may ask for the flags admin and downstream. */
  readonly privileged: boolean;
  /** Whether resources of the cluster may make relationships with foreign trust domains. */
  readonly federation: boolean;
  /** Acts on resources of this class; empty for those without a class. */
  readonly className: string;
  /** Acts on resources without a class too. */
  readonly watchClassless: boolean;
  readonly clusterDomain: string;
  readonly ignoreNamespaces: readonly string[];
  /** Zero for the server's default. */
  readonly defaultX509SvidTtl: number;
  /** Zero for the server's default. */
  readonly defaultJwtSvidTtl: number;
  /** How often the registrar compares with its list at the server. */
  readonly resyncInterval: number;
  /** Namespace of the Lease that registrars of the cluster take turns by; undefined for a registrar that is the only one. */
  readonly leaseNamespace?: string | undefined;
}

/** The registrars that run in the server, by the cluster that they are for. */
export interface RegistrarsSettings {
  readonly clusters: Readonly<Record<string, RegistrarSettings>>;
}

const namespace = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "expected the name of a namespace");

/** The keys of {@link RegistrarSettings}. */
export const registrarSettingsSchema: z.ZodPrefault<z.ZodType<RegistrarSettings>> = z
  .strictObject({
    ids: z
      .array(idPatternSchema)
      .min(1)
      .default([IdPattern.parse("/**")])
      .describe(
        'Paths of SPIFFE IDs that resources of the cluster may give out. "*" stands for one segment, a closing "**" for one or more. Never below /spire.',
      ),
    parents: z
      .array(idPatternSchema)
      .default([])
      .describe("Paths of parents that static entries may have, beside the cluster's own agents."),
    privileged: z
      .boolean()
      .default(false)
      .describe(
        "Whether resources of the cluster may ask for the flags admin and downstream; a WorkloadIdentity never may.",
      ),
    federation: z
      .boolean()
      .default(false)
      .describe(
        "Whether a ClusterFederatedTrustDomain makes a relationship: with it, administrators of the cluster decide whom this trust domain trusts.",
      ),
    className: z
      .string()
      .max(253)
      .default("")
      .describe("Class of the resources to act on. Without it: those that have no class."),
    watchClassless: z
      .boolean()
      .default(true)
      .describe("Whether to act on resources without a class too."),
    clusterDomain: z
      .string()
      .max(253)
      .default("cluster.local")
      .describe("DNS domain of the cluster, for templates and names of services."),
    ignoreNamespaces: z
      .array(namespace)
      .default(["kube-system", "kube-public", "kube-node-lease"])
      .describe("Namespaces whose pods get no identity from a resource."),
    defaultX509SvidTtl: durationSchema
      .default(0)
      .describe("Life of X509-SVIDs where the resource says nothing. 0s: the server's default."),
    defaultJwtSvidTtl: durationSchema
      .default(0)
      .describe("Life of JWT-SVIDs where the resource says nothing. 0s: the server's default."),
    resyncInterval: durationSchema
      .prefault("15m")
      .refine((ms) => ms >= 10_000, "expected at least 10s")
      .describe("How often the registrar compares with its list of entries at the server."),
    leaseNamespace: namespace
      .optional()
      .describe(
        "Namespace of the Lease assay-registrar, by which several registrars of the cluster take turns. Without it: this is the only one.",
      ),
  })
  .prefault({});

/** See {@link RegistrarsSettings}. */
export const registrarsSchema: z.ZodPrefault<z.ZodType<RegistrarsSettings>> = z
  .strictObject({
    clusters: z
      .record(clusterNameSchema, registrarSettingsSchema)
      .default({})
      .describe(
        "Registrars by cluster. Each name is one of nodeAttestors.k8s_psat.clusters, or of a cluster that was added while running.",
      ),
  })
  .prefault({})
  .describe("Entries from custom resources of Kubernetes clusters.");
