import * as z from "zod";

/** Where the first trust in a server comes from; later ones are verified by what that server sent. */
export type TrustBundleSettings =
  | { readonly path: string }
  | { readonly inline: string }
  | { readonly url: string; readonly sha256?: string | undefined }
  | { readonly insecure: true };

/** How this node proves itself. */
export type NodeAttestorSettings =
  | { readonly join_token: { readonly token: string } | { readonly tokenFile: string } }
  | {
      readonly x509pop: {
        readonly certificate: string;
        readonly key: string;
        readonly intermediates?: string | undefined;
      };
    }
  | { readonly k8s_psat: { readonly cluster: string; readonly tokenFile: string } };

const file = z.string().min(1);

const ONE_SOURCE = "expected exactly one of path, inline, url and insecure";
const ONE_ATTESTOR = "expected exactly one of join_token, x509pop and k8s_psat";
const ONE_TOKEN = "expected exactly one of token and tokenFile";

/** See {@link TrustBundleSettings}. */
export const trustBundleSchema: z.ZodType<TrustBundleSettings> = z
  .strictObject({
    path: file.optional().describe("File with CA certificates (PEM) or a SPIFFE bundle (JSON)."),
    inline: z.string().min(1).optional().describe("The same, written here."),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe(
        "Address to fetch it from at each first start. Over https the web's CAs vouch for it; http needs sha256.",
      ),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .describe("SHA-256 of what the address serves, in lower-case hexadecimal."),
    insecure: z
      .literal(true)
      .optional()
      .describe("Trust the first server that answers. Whoever stands in between owns this node."),
  })
  .transform((value, context): TrustBundleSettings => {
    const { path, inline, url, sha256, insecure } = value;
    const given = [path, inline, url, insecure].filter((source) => source !== undefined);
    if (given.length !== 1) context.addIssue(ONE_SOURCE);
    if (sha256 !== undefined && url === undefined) {
      context.addIssue({ code: "custom", path: ["sha256"], message: "expected only beside url" });
    }
    if (url?.startsWith("http:") && sha256 === undefined) {
      context.addIssue({ code: "custom", path: ["url"], message: "expected https, or sha256" });
    }
    if (path !== undefined) return { path };
    if (inline !== undefined) return { inline };
    if (url !== undefined) return { url, sha256 };
    return { insecure: true };
  })
  .describe("What the first server is verified with. Later the agent keeps its own copy.");

const joinTokenSchema = z
  .strictObject({
    token: z.string().min(1).max(1024).optional().describe("The token itself; prefer tokenFile."),
    tokenFile: file
      .optional()
      .describe("File with the token. It may come later; the agent looks again."),
  })
  .transform(({ token, tokenFile }, context) => {
    if ((token === undefined) === (tokenFile === undefined)) context.addIssue(ONE_TOKEN);
    return token === undefined ? { tokenFile: tokenFile ?? "" } : { token };
  })
  .describe("A token that an operator made for this node (`assay token create`).");

const x509popSchema = z
  .strictObject({
    certificate: file.describe("PEM file with the node's certificate; intermediates may follow."),
    key: file.describe("PEM file with its private key."),
    intermediates: file.optional().describe("PEM file with intermediates."),
  })
  .describe("A certificate that this node was given by a PKI of yours.");

const k8sPsatSchema = z
  .strictObject({
    cluster: z
      .string()
      .min(1)
      .max(63)
      .describe("Name of the cluster that this node belongs to, as the server knows it."),
    tokenFile: file
      .default("/var/run/secrets/tokens/assay-agent")
      .describe("File with the pod's projected token for audience assay-server."),
  })
  .describe("The token of the pod that the agent runs in, on Kubernetes.");

/** See {@link NodeAttestorSettings}. */
export const nodeAttestorSchema: z.ZodType<NodeAttestorSettings> = z
  .strictObject({
    join_token: joinTokenSchema.optional(),
    x509pop: x509popSchema.optional(),
    k8s_psat: k8sPsatSchema.optional(),
  })
  .transform(({ join_token, x509pop, k8s_psat }, context): NodeAttestorSettings => {
    const given = [join_token, x509pop, k8s_psat].filter((settings) => settings !== undefined);
    if (given.length !== 1) context.addIssue(ONE_ATTESTOR);
    if (x509pop !== undefined) return { x509pop };
    if (k8s_psat !== undefined) return { k8s_psat };
    return { join_token: join_token ?? { tokenFile: "" } };
  })
  .describe("How this node proves to the server which node it is.");
