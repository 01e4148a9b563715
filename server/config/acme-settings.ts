import * as z from "zod";

/** How a certificate of the Web is obtained by ACME (RFC 8555). */
export interface AcmeSettings {
  readonly directoryUrl: string;
  readonly domain: string;
  readonly email?: string | undefined;
  readonly tosAccepted: true;
  readonly directory: string;
  readonly caFile?: string | undefined;
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** The fields of {@link AcmeSettings}, to be spread into the object that has them. */
export const acmeShape: {
  readonly directoryUrl: z.ZodType<string>;
  readonly domain: z.ZodType<string>;
  readonly email: z.ZodOptional<z.ZodType<string>>;
  readonly tosAccepted: z.ZodLiteral<true>;
  readonly directory: z.ZodType<string>;
  readonly caFile: z.ZodOptional<z.ZodType<string>>;
} = {
  directoryUrl: z
    .url({ protocol: /^https$/ })
    .max(2048)
    .default("https://acme-v02.api.letsencrypt.org/directory")
    .describe("Directory of the ACME server. Without it: Let's Encrypt's."),
  domain: z
    .string()
    .max(253)
    .regex(new RegExp(`^${LABEL}(?:\\.${LABEL})*$`), "expected a DNS name in lower case")
    .describe("DNS name that the certificate is for. Its port 443 has to lead to this endpoint."),
  email: z
    .email()
    .max(254)
    .optional()
    .describe("Whom the ACME server may write to about the certificate."),
  tosAccepted: z
    .literal(true)
    .describe("That the terms of service of the ACME server are agreed to. It has to be true."),
  directory: z
    .string()
    .min(1)
    .describe("Folder for the account's key and the certificate. Made if it is not there."),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with the authorities of the ACME server in PEM. Without it: the Web's."),
};
