import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";

/** Kinds of keys that authorities may have. */
export const KEY_TYPES = ["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"] as const;

/** One of {@link KEY_TYPES}. */
export type KeyTypeSetting = (typeof KEY_TYPES)[number];

/** Where private keys of authorities live. */
export type KeyManagerSettings =
  | { readonly type: "disk"; readonly directory?: string | undefined }
  | { readonly type: "memory" };

/** What is issued, for how long, and by which keys. */
export interface CaSettings {
  readonly keyType: KeyTypeSetting;
  readonly jwtKeyType?: KeyTypeSetting | undefined;
  readonly jwtKeyTypes?: readonly KeyTypeSetting[] | undefined;
  readonly authorityTtl: number;
  readonly x509SvidTtl: number;
  readonly jwtSvidTtl: number;
  readonly agentTtl: number;
  readonly jwtIssuer?: string | undefined;
  readonly knownBadKeys?: string | undefined;
}

/** What there is to say about JWT-SVIDs. */
export interface JwtSettings {
  readonly audiences: Readonly<Record<string, { readonly algorithm: JwsAlgorithmSetting }>>;
}

/** Algorithms that JWT-SVIDs may be signed with. */
export const JWS_ALGORITHMS = ["ES256", "ES384", "RS256"] as const;

/** One of {@link JWS_ALGORITHMS}. */
export type JwsAlgorithmSetting = (typeof JWS_ALGORITHMS)[number];

/** What a kind of key signs with. */
export function jwsAlgorithmOf(type: KeyTypeSetting): JwsAlgorithmSetting {
  if (type === "ec-p256") return "ES256";
  return type === "ec-p384" ? "ES384" : "RS256";
}

/** The kinds of keys of JWT authorities, whichever way they were written; the default first. */
export function jwtKeyTypesOf(ca: CaSettings): readonly [KeyTypeSetting, ...KeyTypeSetting[]] {
  const [first = ca.jwtKeyType ?? ca.keyType, ...more] = ca.jwtKeyTypes ?? [];
  return [first, ...more];
}

/** See {@link KeyManagerSettings}. */
export const keyManagerSchema: z.ZodPrefault<z.ZodType<KeyManagerSettings>> = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("disk").describe("Keys in files that only the server's user can read."),
      directory: z
        .string()
        .min(1)
        .optional()
        .describe("Folder of the key files. Without it: keys, in the data folder."),
    }),
    z.strictObject({
      type: z
        .literal("memory")
        .describe("Keys are lost with the process; each start adds authorities."),
    }),
  ])
  .prefault({ type: "disk" })
  .describe("Where the private keys of authorities live.");

/** See {@link CaSettings}. */
export const caSchema: z.ZodPrefault<z.ZodType<CaSettings>> = z
  .strictObject({
    keyType: z.enum(KEY_TYPES).default("ec-p256").describe("Kind of key of new X.509 authorities."),
    jwtKeyType: z
      .enum(KEY_TYPES)
      .optional()
      .describe("Kind of key of new JWT authorities: short for jwtKeyTypes with one of them."),
    jwtKeyTypes: z
      .array(z.enum(KEY_TYPES))
      .min(1)
      .optional()
      .describe(
        "Kinds of keys of JWT authorities; each makes an authority of its own: ec-p256 for ES256, ec-p384 for ES384, an RSA key for RS256. The first signs what asks for no algorithm. Without it: the same as keyType.",
      ),
    authorityTtl: durationSchema
      .prefault("7d")
      .describe("Life of an authority. The next one is prepared at half of it."),
    x509SvidTtl: durationSchema
      .prefault("1h")
      .describe("Life of X509-SVIDs of entries that do not set their own."),
    jwtSvidTtl: durationSchema
      .prefault("5m")
      .describe("Life of JWT-SVIDs of entries that do not set their own."),
    agentTtl: durationSchema.prefault("24h").describe("Life of the SVIDs of agents."),
    jwtIssuer: z
      .url()
      .optional()
      .describe("Issuer claim of JWT-SVIDs, for consumers that verify by OIDC discovery."),
    knownBadKeys: z
      .string()
      .min(1)
      .optional()
      .describe(
        "File of keys that are never certified: the SHA-256 of a SubjectPublicKeyInfo in hexadecimal on each line. Read at the start.",
      ),
  })
  .prefault({})
  .describe("What is issued, for how long, and by which kind of key.");

/** See {@link JwtSettings}. */
export const jwtSchema: z.ZodPrefault<z.ZodType<JwtSettings>> = z
  .strictObject({
    audiences: z
      .record(
        z.string().min(1).max(1024),
        z.strictObject({
          algorithm: z
            .enum(JWS_ALGORITHMS)
            .describe("What tokens for this audience are signed with, whatever the entry says."),
        }),
      )
      .default({})
      .describe("Audiences that take only tokens of one algorithm, by audience."),
  })
  .prefault({})
  .describe("JWT-SVIDs.");

/** Parts that follow standards which are not finished. */
export interface ExperimentalSettings {
  readonly witSvid: boolean;
}

/** See {@link ExperimentalSettings}. */
export const experimentalSchema: z.ZodPrefault<z.ZodType<ExperimentalSettings>> = z
  .strictObject({
    witSvid: z
      .boolean()
      .default(false)
      .describe("Whether there are WIT authorities, and WIT-SVIDs are issued."),
  })
  .prefault({})
  .describe("Parts that follow standards which are not finished, and may change with them.");
