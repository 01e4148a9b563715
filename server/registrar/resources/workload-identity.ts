import * as z from "zod";
import { EVERYTHING, labelSelectorSchema } from "../label-selector.ts";
import { Template } from "../template/template.ts";
import { TEMPLATE_SHAPE } from "../template-data.ts";
import { classNameSchema, hintSchema, templateSchema, templatesSchema } from "./fields.ts";
import { goDurationSchema } from "./go-duration.ts";
import type { PodRule } from "./pod-rule.ts";
import { resourceMetaSchema } from "./resource-meta.ts";

const DEFAULT_PATH = "sa/{{ .PodSpec.ServiceAccountName }}";

/**
 * WorkloadIdentity of assay.dev/v1alpha1: identities that a tenant gives to pods of his own namespace. What it can say is cut to
 * what cannot reach another tenant: the ID begins with the namespace whatever the template gives, there are no DNS names, no
 * federation and no privileges.
 */
export function workloadIdentitySchema(trustDomain: string): z.ZodType<PodRule> {
  return z
    .object({
      metadata: resourceMetaSchema.refine(({ namespace }) => namespace !== "", {
        path: ["namespace"],
        error: "expected a namespace",
      }),
      spec: z.strictObject({
        pathTemplate: templateSchema.optional(),
        podSelector: labelSelectorSchema.nullish(),
        workloadSelectorTemplates: templatesSchema,
        ttl: goDurationSchema,
        jwtTtl: goDurationSchema,
        hint: hintSchema,
        className: classNameSchema,
      }),
    })
    .transform(
      ({ metadata, spec }): PodRule => ({
        kind: "WorkloadIdentity",
        meta: metadata,
        className: spec.className,
        idTemplate: spec.pathTemplate ?? Template.parse(DEFAULT_PATH, TEMPLATE_SHAPE),
        idPrefix: `spiffe://${trustDomain}/ns/${metadata.namespace}/`,
        onlyNamespace: metadata.namespace,
        podSelector: spec.podSelector ?? EVERYTHING,
        namespaceSelector: EVERYTHING,
        dnsNameTemplates: [],
        workloadSelectorTemplates: spec.workloadSelectorTemplates,
        x509SvidTtlSeconds: spec.ttl,
        jwtSvidTtlSeconds: spec.jwtTtl,
        federatesWith: [],
        admin: false,
        downstream: false,
        autoPopulateDnsNames: false,
        isFallback: false,
        hint: spec.hint,
      }),
    );
}
