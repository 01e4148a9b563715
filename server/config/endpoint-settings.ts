import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { sizeSchema } from "../../runtime/config/size.ts";
import { type Rates, ratesSchema } from "./limits.ts";
import { type GrantSettings, grantShape } from "./roles.ts";

/** The listener for agents, operators on the network and nested servers. */
export interface ListenSettings {
  readonly address: string;
  readonly port: number;
  readonly tls: { readonly minVersion: "1.2" | "1.3" };
}

/** A local user who may administer. */
export interface UserSettings extends GrantSettings {
  readonly uid: number;
}

/** The Unix socket for administration on this machine. */
export interface AdminSocketSettings {
  readonly path: string;
  /** Permission bits of the socket file. */
  readonly mode: number;
  readonly users?: readonly UserSettings[] | undefined;
}

/** Somebody who administers over the network with an X509-SVID. */
export interface OperatorSettings extends GrantSettings {
  readonly id: string;
}

/** The HTTP listener for health checks and metrics. */
export interface ObservabilitySettings {
  readonly enabled: boolean;
  readonly address: string;
  readonly port: number;
}

/** What one connection or one caller may use up. */
export interface LimitSettings {
  readonly rates: Rates;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxStreamsPerConnection: number;
  readonly maxMessageBytes: number;
  readonly handshakeTimeout: number;
  readonly slowReaderTimeout: number;
}

const port = z.int().min(0).max(65535);

/** See {@link ListenSettings}. */
export const listenSchema: z.ZodPrefault<z.ZodType<ListenSettings>> = z
  .strictObject({
    address: z
      .string()
      .min(1)
      .default("0.0.0.0")
      .describe("IP address to listen on. It is used as it is, never looked up."),
    port: port.default(8081).describe("TCP port; 0 lets the system choose."),
    tls: z
      .strictObject({
        minVersion: z
          .enum(["1.2", "1.3"])
          .default("1.3")
          .describe('Oldest TLS version accepted. "1.2" only for agents that cannot do better.'),
      })
      .prefault({})
      .describe("TLS of the listener."),
  })
  .prefault({})
  .describe("Where agents connect to, and operators who come over the network.");

/** See {@link AdminSocketSettings}. */
export const adminSocketSchema: z.ZodPrefault<z.ZodType<AdminSocketSettings>> = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .max(107)
      .default("/run/assay/server/admin.sock")
      .describe("Path of the Unix socket."),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, "expected three octal digits, such as 0660")
      .default("0660")
      .transform((text) => Number.parseInt(text, 8))
      .describe("Permission bits of the socket. Who connects is checked again by user id."),
    users: z
      .array(
        z.strictObject({
          uid: z.int().min(0).max(4_294_967_294).describe("User id that the kernel reports."),
          ...grantShape,
        }),
      )
      .optional()
      .describe(
        "Local users and their roles. Without it: root and the server's own user, all roles.",
      ),
  })
  .prefault({})
  .describe("Administration on this machine; the kernel tells who calls.");

/** See {@link OperatorSettings}. */
export const operatorsSchema: z.ZodDefault<z.ZodType<readonly OperatorSettings[]>> = z
  .array(
    z.strictObject({
      id: z.string().describe("SPIFFE ID in the server's trust domain, not below /spire."),
      ...grantShape,
    }),
  )
  .default([])
  .describe("Who may administer over the network with an X509-SVID, and with which roles.");

/** See {@link ObservabilitySettings}. */
export const observabilitySchema: z.ZodPrefault<z.ZodType<ObservabilitySettings>> = z
  .strictObject({
    enabled: z.boolean().default(true).describe("Whether to listen at all."),
    address: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("IP address of the listener. It has neither TLS nor callers: keep it local."),
    port: port.default(8082).describe("TCP port; 0 lets the system choose."),
  })
  .prefault({})
  .describe("HTTP listener for /live, /ready and /metrics.");

/** See {@link LimitSettings}. */
export const limitsSchema: z.ZodPrefault<z.ZodType<LimitSettings>> = z
  .strictObject({
    rates: ratesSchema,
    maxConnections: z
      .int()
      .min(1)
      .default(25_000)
      .describe("Network connections at the same time. More are closed at once."),
    maxConnectionsPerAddress: z
      .int()
      .min(1)
      .default(1000)
      .describe("Network connections at the same time from one IP address."),
    maxStreamsPerConnection: z
      .int()
      .min(1)
      .default(100)
      .describe("Calls at the same time on one connection."),
    maxMessageBytes: sizeSchema
      .prefault("4MiB")
      .describe("Largest message that is received. Stock clients expect 4MiB."),
    handshakeTimeout: durationSchema.prefault("10s").describe("How long a TLS handshake may take."),
    slowReaderTimeout: durationSchema
      .prefault("10s")
      .describe("How long a stream may stand still because its reader does not read."),
  })
  .prefault({})
  .describe("What one connection or one caller may use up.");
