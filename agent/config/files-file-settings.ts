import * as z from "zod";
import {
  PEM_PARTS,
  type PemPart,
  PKCS12_PARTS,
  type Pkcs12Part,
} from "../../spiffe/files/file-spec.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";

interface CommonFileSettings {
  readonly name: string;
  /** Permission bits. */
  readonly mode?: number | undefined;
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
}

/** A file of files.yaml. */
export type FileSettings = CommonFileSettings &
  (
    | {
        readonly type: "pem";
        readonly holds: readonly PemPart[];
        readonly trustDomain?: TrustDomain | undefined;
        readonly omitExpired: boolean;
      }
    | {
        readonly type: "pkcs12";
        readonly holds: readonly Pkcs12Part[];
        readonly trustDomain?: TrustDomain | undefined;
        readonly alias: string;
        readonly passwordFile: string;
      }
    | { readonly type: "jwt"; readonly audience: readonly string[] }
    | {
        readonly type: "jwks" | "bundle-document";
        readonly trustDomain?: TrustDomain | undefined;
      }
    | { readonly type: "jwks-by-trust-domain" }
  );

/** A user or a group. */
export const accountSchema: z.ZodString = z
  .string()
  .regex(/^[A-Za-z0-9._][A-Za-z0-9._-]{0,63}\$?$/, "expected a name or a number");

const common = {
  name: z
    .string()
    .regex(
      /^(?!\.{1,2}$|\.\.|\.unfinished-)[^/\0]{1,200}$/,
      "expected a plain file name, without a folder",
    )
    .describe("Name in the directory."),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected permission bits such as "0640"')
    .transform((text) => Number.parseInt(text, 8))
    .optional()
    .describe('Permission bits. Without it: "0600" with a key or a token in it, else "0644".'),
  owner: accountSchema.optional().describe("User who owns this file, in place of `owner`."),
  group: accountSchema.optional().describe("Group of this file, in place of `group`."),
};

const trustDomain = z
  .string()
  .transform((text, context) => {
    try {
      return TrustDomain.parse(text);
    } catch {
      context.addIssue("expected the name of a trust domain");
      return z.NEVER;
    }
  })
  .meta({ title: "string" })
  .optional()
  .describe(
    "Whose bundle; one's own unless given. The file goes while no bundle of that trust domain is handed out.",
  );

const pem = z.strictObject({
  ...common,
  type: z.literal("pem").describe("PEM."),
  holds: z
    .array(z.enum(PEM_PARTS))
    .min(1)
    .describe(
      "What is in it, in this order: chain (leaf and intermediates), leaf, intermediates, key (PKCS#8), bundle (CA certificates of a trust domain), federated (those of all other trust domains).",
    ),
  trustDomain,
  omitExpired: z.boolean().default(false).describe("Leave certificates out that have ended."),
});

const pkcs12 = z.strictObject({
  ...common,
  type: z.literal("pkcs12").describe("PKCS#12, as Java reads it."),
  holds: z
    .array(z.enum(PKCS12_PARTS))
    .min(1)
    .describe("What is in it: identity (key with chain), bundle and federated as trusted CAs."),
  trustDomain,
  alias: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, "expected letters, digits, dots and dashes")
    .default("identity")
    .describe("Name of the identity inside; CAs are called ALIAS-ca-1 and so on."),
  passwordFile: z
    .string()
    .min(1)
    .describe(
      "File with the password, read when the process starts; a line end at its end does not count.",
    ),
});

const jwt = z.strictObject({
  ...common,
  type: z.literal("jwt").describe("A JWT-SVID, renewed at half of its life."),
  audience: z
    .array(z.string().min(1).max(1024))
    .min(1)
    .max(16)
    .describe("Who it is for. One is best: a token for several can be passed on among them."),
});

const keys = z.strictObject({
  ...common,
  type: z
    .literal(["jwks", "bundle-document"])
    .describe("The JWT authorities of a trust domain as a JWK Set, or its SPIFFE bundle document."),
  trustDomain,
});

const allKeys = z.strictObject({
  ...common,
  type: z
    .literal("jwks-by-trust-domain")
    .describe("A JSON object: each trust domain's JWK Set in base64, as spiffe-helper writes it."),
});

/** Decodes {@link FileSettings}. */
export const fileSchema: z.ZodType<FileSettings> = z.discriminatedUnion("type", [
  pem,
  pkcs12,
  jwt,
  keys,
  allKeys,
]);
