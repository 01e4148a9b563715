import * as z from "zod";
import { metadataSchema, type ObjectMetadata, parserOf } from "./metadata.ts";

/** What we keep of a namespace. */
export type Namespace = ObjectMetadata;

/** The namespace whose UID stands for the cluster: it is as old as the cluster and cannot be deleted. */
export const CLUSTER_NAMESPACE = "kube-system";

/** Reads a Namespace. @throws {Error} naming the field */
export const parseNamespace: (raw: unknown) => Namespace = parserOf(
  "namespace",
  z.object({ metadata: metadataSchema }).transform(({ metadata }) => metadata),
);
