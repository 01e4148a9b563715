import * as z from "zod";
import { type Selector, sortSelectors } from "../../../proto/selector.ts";
import type { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import {
  classNameSchema,
  dnsNameSchema,
  federatesWithSchema,
  hintSchema,
  selectorSchema,
  spiffeIdSchema,
} from "./fields.ts";
import { goDurationSchema } from "./go-duration.ts";
import type { Resource } from "./resource.ts";
import { resourceMetaSchema } from "./resource-meta.ts";

/** An entry that a resource spells out. */
export interface StaticEntry extends Resource {
  readonly kind: "ClusterStaticEntry";
  readonly spiffeId: SpiffeId;
  readonly parentId: SpiffeId;
  readonly selectors: readonly Selector[];
  readonly federatesWith: readonly string[];
  readonly x509SvidTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  readonly dnsNames: readonly string[];
  readonly hint: string;
  readonly admin: boolean;
  readonly downstream: boolean;
  readonly storeSvid: boolean;
}

/** ClusterStaticEntry of spire.spiffe.io/v1alpha1: one entry for something that is not a pod. */
export const clusterStaticEntrySchema: z.ZodType<StaticEntry> = z
  .object({
    metadata: resourceMetaSchema,
    spec: z.strictObject({
      spiffeID: spiffeIdSchema,
      parentID: spiffeIdSchema,
      selectors: z.array(selectorSchema).min(1).max(256),
      federatesWith: federatesWithSchema,
      x509SVIDTTL: goDurationSchema,
      jwtSVIDTTL: goDurationSchema,
      dnsNames: z.array(dnsNameSchema).max(128).default([]),
      hint: hintSchema,
      admin: z.boolean().default(false),
      downstream: z.boolean().default(false),
      storeSVID: z.boolean().default(false),
      className: classNameSchema,
    }),
  })
  .transform(
    ({ metadata, spec }): StaticEntry => ({
      kind: "ClusterStaticEntry",
      meta: { ...metadata, namespace: "" },
      className: spec.className,
      spiffeId: spec.spiffeID,
      parentId: spec.parentID,
      selectors: sortSelectors(spec.selectors),
      federatesWith: spec.federatesWith,
      x509SvidTtlSeconds: spec.x509SVIDTTL,
      jwtSvidTtlSeconds: spec.jwtSVIDTTL,
      dnsNames: spec.dnsNames,
      hint: spec.hint,
      admin: spec.admin,
      downstream: spec.downstream,
      storeSvid: spec.storeSVID,
    }),
  );
