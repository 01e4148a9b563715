import * as z from "zod";
import { EVERYTHING, labelSelectorSchema } from "../label-selector.ts";
import {
  classNameSchema,
  federatesWithSchema,
  hintSchema,
  templateSchema,
  templatesSchema,
} from "./fields.ts";
import { goDurationSchema } from "./go-duration.ts";
import type { PodRule } from "./pod-rule.ts";
import { resourceMetaSchema } from "./resource-meta.ts";

/** ClusterSPIFFEID of spire.spiffe.io/v1alpha1: identities for the pods of the cluster that selectors choose. */
export const clusterSpiffeIdSchema: z.ZodType<PodRule> = z
  .object({
    metadata: resourceMetaSchema,
    spec: z.strictObject({
      spiffeIDTemplate: templateSchema,
      podSelector: labelSelectorSchema.nullish(),
      namespaceSelector: labelSelectorSchema.nullish(),
      dnsNameTemplates: templatesSchema,
      workloadSelectorTemplates: templatesSchema,
      ttl: goDurationSchema,
      jwtTtl: goDurationSchema,
      federatesWith: federatesWithSchema,
      admin: z.boolean().default(false),
      downstream: z.boolean().default(false),
      autoPopulateDNSNames: z.boolean().default(false),
      fallback: z.boolean().default(false),
      hint: hintSchema,
      className: classNameSchema,
    }),
  })
  .transform(
    ({ metadata, spec }): PodRule => ({
      kind: "ClusterSPIFFEID",
      meta: { ...metadata, namespace: "" },
      className: spec.className,
      idTemplate: spec.spiffeIDTemplate,
      idPrefix: "",
      onlyNamespace: undefined,
      podSelector: spec.podSelector ?? EVERYTHING,
      namespaceSelector: spec.namespaceSelector ?? EVERYTHING,
      dnsNameTemplates: spec.dnsNameTemplates,
      workloadSelectorTemplates: spec.workloadSelectorTemplates,
      x509SvidTtlSeconds: spec.ttl,
      jwtSvidTtlSeconds: spec.jwtTtl,
      federatesWith: spec.federatesWith,
      admin: spec.admin,
      downstream: spec.downstream,
      autoPopulateDnsNames: spec.autoPopulateDNSNames,
      isFallback: spec.fallback,
      hint: spec.hint,
    }),
  );
