import * as z from "zod";
import { judgePathTemplate } from "./agent-path-template.ts";
import { type K8sPsatSettings, k8sPsatSchema } from "./cluster-settings.ts";

/** Node attestation by an X.509 certificate that the node already has. */
export interface X509PopSettings {
  readonly mode: "path" | "spiffe";
  /** PEM file with the certificates that nodes' certificates must chain to; only in path mode. */
  readonly caBundle?: string | undefined;
  readonly agentPathTemplate?: string | undefined;
}

/** How agents may prove which node they are on. An attestor without settings is not offered. */
export interface AttestorSettings {
  readonly join_token?: Readonly<Record<string, never>> | undefined;
  readonly x509pop?: X509PopSettings | undefined;
  readonly k8s_psat?: K8sPsatSettings | undefined;
}

const x509popSchema = z
  .strictObject({
    mode: z
      .enum(["path", "spiffe"])
      .default("path")
      .describe(
        'path: certificates of any CA in caBundle. spiffe: X509-SVIDs of this trust domain below "/spire-exchange".',
      ),
    caBundle: z
      .string()
      .min(1)
      .optional()
      .describe("PEM file with the CA certificates; required in path mode."),
    agentPathTemplate: z
      .string()
      .superRefine((template, context) => {
        const objection = judgePathTemplate(template);
        if (objection !== undefined) context.addIssue(objection);
      })
      .optional()
      .describe(
        "Path of the agent's ID below /spire/agent. May hold {fingerprint} (SHA-1 of the certificate), {serial}, {cn} and, in spiffe mode, {path}. " +
          'Without it: "/x509pop/{fingerprint}", in spiffe mode "/x509pop/{path}".',
      ),
  })
  .refine((settings) => (settings.mode === "path") === (settings.caBundle !== undefined), {
    path: ["caBundle"],
    error: "expected a file in path mode, and none in spiffe mode",
  })
  .describe("Nodes that have a certificate of their own, from an existing PKI.");

/** See {@link AttestorSettings}. */
export const attestorsSchema: z.ZodPrefault<z.ZodType<AttestorSettings>> = z
  .strictObject({
    join_token: z
      .strictObject({})
      .optional()
      .describe("Tokens that an operator makes, each good for one agent."),
    x509pop: x509popSchema.optional(),
    k8s_psat: k8sPsatSchema.optional(),
  })
  .prefault({ join_token: {} })
  .describe("How agents may prove which node they are on. Without it: join_token only.");
