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

/** A file that holds the trust bundle. */
export interface FilePublisherSettings {
  readonly path: string;
  readonly format: "spiffe" | "pem";
  readonly mode: number;
}

/** A URL that the trust bundle is put at. */
export interface HttpPublisherSettings {
  readonly url: string;
  readonly authorities?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** Where the trust bundle is published, for those who do not ask the server. */
export interface PublisherSettings {
  readonly files: readonly FilePublisherSettings[];
  readonly http: readonly HttpPublisherSettings[];
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

const filePublisherSchema = z.strictObject({
  path: z.string().min(1).describe("The file; replaced as a whole. Its folder must exist."),
  format: z
    .enum(["spiffe", "pem"])
    .default("spiffe")
    .describe("The SPIFFE document with all keys, or the X.509 authorities in PEM."),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, "expected three octal digits, such as 0644")
    .default("0644")
    .transform((text) => Number.parseInt(text, 8))
    .describe("Permission bits of the file."),
});

const httpPublisherSchema = z.strictObject({
  url: z
    .url({ protocol: /^https$/ })
    .describe("An https URL that takes the SPIFFE document by PUT, such as of an object store."),
  authorities: z
    .string()
    .min(1)
    .optional()
    .describe("File with the authorities of its certificate in PEM. Without it: the Web's."),
  tokenFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with a token that is sent as Bearer. Read again each time."),
});

/** See {@link PublisherSettings}. */
export const publishersSchema: z.ZodPrefault<z.ZodType<PublisherSettings>> = z
  .strictObject({
    files: z.array(filePublisherSchema).default([]).describe("Files that hold the bundle."),
    http: z.array(httpPublisherSchema).default([]).describe("URLs that the bundle is put at."),
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
