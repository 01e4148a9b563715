import * as z from "zod";
import { checkDnsName } from "../../../proto/convert/dns-name.ts";
import { parseSelector, type Selector } from "../../../proto/selector.ts";
import { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import { TrustDomain } from "../../../spiffe/id/trust-domain.ts";
import { Template } from "../template/template.ts";
import { TEMPLATE_SHAPE } from "../template-data.ts";

/** Most templates, selectors or trust domains in one list of a resource. */
const MAX_LIST = 64;

/** A schema of texts that a parser reads; what the parser throws becomes the problem. */
function parsed<T>(parse: (text: string) => T): z.ZodType<T> {
  return z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (err) {
      context.addIssue(err instanceof Error ? err.message : "invalid");
      return z.NEVER;
    }
  });
}

/** A template over the data of a pod. */
export const templateSchema: z.ZodType<Template> = parsed((text) => {
  if (text === "") throw new Error("expected a template");
  return Template.parse(text, TEMPLATE_SHAPE);
});

/** Several of them. */
export const templatesSchema: z.ZodType<readonly Template[]> = z
  .array(templateSchema)
  .max(MAX_LIST)
  .default([]);

/** Names of other trust domains, each once. */
export const federatesWithSchema: z.ZodType<readonly string[]> = z
  .array(parsed((text) => TrustDomain.parse(text).name))
  .max(MAX_LIST)
  .default([])
  .transform((names) => [...new Set(names)].sort());

/** A SPIFFE ID. */
export const spiffeIdSchema: z.ZodType<SpiffeId> = parsed((text) => SpiffeId.parse(text));

/** A selector in its text form, "unix:uid:1000". */
export const selectorSchema: z.ZodType<Selector> = parsed(readSelector);

/** A DNS name as it may stand in a certificate. */
export const dnsNameSchema: z.ZodType<string> = parsed((text) => {
  checkDnsName("dns name", text);
  return text;
});

/** What a workload is told about the use of an identity (Workload API 5.2.1). */
export const hintSchema: z.ZodType<string> = z
  .string()
  .max(1024)
  .refine((hint) => !/\p{Cc}/u.test(hint), "expected no control characters")
  .default("");

/** See Resource.className. */
export const classNameSchema: z.ZodType<string> = z.string().max(253).default("");

/** Reads a selector. @throws {Error} saying the rule */
export function readSelector(text: string): Selector {
  const selector = parseSelector(text);
  if (selector === undefined) throw new Error('expected a selector such as "k8s:ns:shop"');
  return selector;
}
