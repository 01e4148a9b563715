import * as z from "zod";
import { metadataSchema, type ObjectMetadata, parserOf } from "../k8s/objects/metadata.ts";

/** What the registrar reads of a service: which pods are behind it. */
export interface Service extends ObjectMetadata {
  /** Labels of its pods; empty for a service whose endpoints are named in another way. */
  readonly selector: Readonly<Record<string, string>>;
}

/** Reads a Service. @throws {Error} naming the field */
export const parseService: (raw: unknown) => Service = parserOf(
  "service",
  z
    .object({
      metadata: metadataSchema,
      spec: z
        .object({ selector: z.record(z.string().max(317), z.string().max(63)).nullish() })
        .nullish(),
    })
    .transform(({ metadata, spec }) => ({ ...metadata, selector: spec?.selector ?? {} })),
);
