import * as z from "zod";

/** What the registrar reads of a custom resource's metadata. */
export interface ResourceMeta {
  readonly name: string;
  /** Empty for resources of the cluster. */
  readonly namespace: string;
  /** Empty for a resource that was read from a file. */
  readonly uid: string;
  readonly generation: number;
  /** RFC 3339 in UTC, to the second, so that texts order as the instants do. */
  readonly createdAt: string;
}

// The API server has checked what it stores; the limits are for files, and to bound what a wrong server can do.
const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "expected a name");

/** Metadata as the API gives it; what is not used is dropped. */
export const resourceMetaSchema: z.ZodType<ResourceMeta> = z
  .object({
    name,
    namespace: name.optional(),
    uid: z.string().max(128).default(""),
    generation: z.number().int().default(0),
    creationTimestamp: z.string().max(64).nullish(),
  })
  .transform(({ creationTimestamp, namespace, ...meta }) => ({
    ...meta,
    namespace: namespace ?? "",
    createdAt: creationTimestamp ?? "",
  }));
