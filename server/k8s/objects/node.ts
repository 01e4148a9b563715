import * as z from "zod";
import { metadataSchema, type ObjectMetadata, parserOf } from "./metadata.ts";

/** What we keep of a node. */
export interface Node extends ObjectMetadata {
  /** Where the node can be reached: "InternalIP", "Hostname", ... */
  readonly addresses: readonly NodeAddress[];
  readonly providerId?: string | undefined;
}

/** One address of a node. */
export interface NodeAddress {
  readonly type: string;
  readonly address: string;
}

const nodeSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({ providerID: z.string().max(1024).optional() }).nullish(),
  status: z
    .object({
      addresses: z
        .array(z.object({ type: z.string().max(63), address: z.string().max(253) }))
        .nullish(),
    })
    .nullish(),
});

/** Reads a Node. @throws {Error} naming the field */
export const parseNode: (raw: unknown) => Node = parserOf(
  "node",
  nodeSchema.transform(({ metadata, spec, status }) => ({
    ...metadata,
    addresses: status?.addresses ?? [],
    ...(spec?.providerID === undefined ? {} : { providerId: spec.providerID }),
  })),
);
