import * as z from "zod";
import { clusterNameSchema } from "./cluster-settings.ts";

/** Where the trust bundle is kept up to date in one Kubernetes cluster. */
export interface ClusterPublisherSettings {
  readonly namespace: string;
  readonly configMap: string;
  readonly labelledNamespaces: boolean;
  readonly clusterTrustBundle?: string | undefined;
  readonly ownerClusterRole?: string | undefined;
}

/** Where the trust bundle is published, for those who do not ask the server. */
export interface PublisherSettings {
  readonly kubernetes: {
    readonly clusters: Readonly<Record<string, ClusterPublisherSettings>>;
  };
}

const objectName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, "expected the name of an object");

const clusterPublisherSchema = z.strictObject({
  namespace: objectName
    .default("assay-system")
    .describe("Namespace whose agents mount the ConfigMap."),
  configMap: objectName
    .default("assay-bundle")
    .describe("Name of the ConfigMap, with bundle.pem and bundle.json."),
  labelledNamespaces: z
    .boolean()
    .default(false)
    .describe('Whether namespaces with the label "assay.dev/bundle: enabled" get it as well.'),
  clusterTrustBundle: objectName
    .optional()
    .describe(
      "Name of a ClusterTrustBundle that gets the X.509 authorities. Without it there is none.",
    ),
  ownerClusterRole: objectName
    .optional()
    .describe("ClusterRole that owns what is published: when it is deleted, all of it goes."),
});

/** See {@link PublisherSettings}. */
export const publishersSchema: z.ZodPrefault<z.ZodType<PublisherSettings>> = z
  .strictObject({
    kubernetes: z
      .strictObject({
        clusters: z
          .record(clusterNameSchema, clusterPublisherSchema)
          .default({})
          .describe("Clusters by the names they have in nodeAttestors.k8s_psat or were added by."),
      })
      .prefault({})
      .describe("Objects of Kubernetes clusters."),
  })
  .prefault({})
  .describe("Where the trust bundle is published, beside the API.");
