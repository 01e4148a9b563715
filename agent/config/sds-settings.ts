import * as z from "zod";

/** Envoy's secret discovery service on the workload socket. */
export interface SdsSettings {
  readonly enabled: boolean;
  readonly defaultSvidName: string;
  readonly defaultBundleName: string;
  readonly defaultAllBundlesName: string;
  readonly disableSpiffeCertValidation: boolean;
}

const name = z.string().min(1).max(255);

/** See {@link SdsSettings}. */
export const sdsSchema: z.ZodPrefault<z.ZodType<SdsSettings>> = z
  .strictObject({
    enabled: z.boolean().default(true).describe("Whether the workload socket serves it."),
    defaultSvidName: name
      .default("default")
      .describe("Name under which a proxy gets its first X509-SVID without knowing its ID."),
    defaultBundleName: name
      .default("ROOTCA")
      .describe("Name under which it gets the bundle of its own trust domain."),
    defaultAllBundlesName: name
      .default("ALL")
      .describe("Name under which it gets the own bundle and the federated ones together."),
    disableSpiffeCertValidation: z
      .boolean()
      .default(false)
      .describe(
        "Send bundles for the proxy's ordinary validator, without Envoy's SPIFFE validator. A proxy may ask for the same in its node's metadata.",
      ),
  })
  .refine(
    (names) =>
      new Set([names.defaultSvidName, names.defaultBundleName, names.defaultAllBundlesName])
        .size === 3,
    "the three names have to differ",
  )
  .prefault({})
  .describe("Envoy's secret discovery service (SDS, version 3), beside the Workload API.");
