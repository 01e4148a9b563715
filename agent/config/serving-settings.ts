import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { sizeSchema } from "../../runtime/config/size.ts";
import { LOG_LEVELS, type LogLevel } from "../../runtime/log.ts";

/** The file that lets a restart serve at once. */
export interface StateSettings {
  readonly path: string;
  readonly insecureDisk: boolean;
}

/** The agent's own audit chain, until a server has it. */
export interface AuditSettings {
  readonly directory?: string | undefined;
  /** Bytes. */
  readonly maxSize: number;
}

/** A Unix socket. */
export interface SocketSettings {
  readonly path: string;
  /** Permission bits of the socket file. */
  readonly mode: number;
}

/** The socket that workloads connect to. */
export interface WorkloadSocketSettings extends SocketSettings {
  /** Path of the socket of whoever holds it; absent when the agent has a socket of its own. */
  readonly holder?: string | undefined;
}

/** What the agent may do without a server. */
export interface OfflineSettings {
  /** Milliseconds. */
  readonly maxAge: number;
}

/** What this node's workloads may use up, and how much is kept for them. */
export interface LimitSettings {
  readonly maxConnections: number;
  readonly maxConnectionsPerCaller: number;
  readonly maxStreamsPerCaller: number;
  readonly maxCallsPerCaller: number;
  readonly maxMessageBytes: number;
  readonly maxX509Svids: number;
  readonly maxJwtSvids: number;
}

/** The HTTP listener for health checks and metrics. */
export interface ObservabilitySettings {
  readonly enabled: boolean;
  readonly address: string;
  readonly port: number;
}

/** What is logged. */
export interface LogSettings {
  readonly level: LogLevel;
  readonly format: "json" | "text";
}

const count = z.int().min(1);

/** See {@link StateSettings}. */
export const stateSchema: z.ZodPrefault<z.ZodType<StateSettings>> = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .default("/run/assay/agent/state")
      .describe("The file. It holds private keys, so it belongs in memory (tmpfs)."),
    insecureDisk: z
      .boolean()
      .default(false)
      .describe("Allow a file on disk, where backups and snapshots copy the keys."),
  })
  .prefault({})
  .describe("What is kept so that a restart serves at once, also with the server away.");

/** See {@link AuditSettings}. */
export const auditSchema: z.ZodPrefault<z.ZodType<AuditSettings>> = z
  .strictObject({
    directory: z
      .string()
      .min(1)
      .optional()
      .describe("Folder for records until a server has them. Without it: beside the state file."),
    maxSize: sizeSchema
      .prefault("64MiB")
      .describe(
        "Room for records that no server takes. Beyond it the oldest are lost, which shows.",
      ),
  })
  .prefault({})
  .describe("The record of what was handed to whom, and who was refused.");

const socketPath = z.string().min(1).max(107);

/** A socket with its default place. */
export function socketSchema(path: string, mode: number): z.ZodPrefault<z.ZodType<SocketSettings>> {
  return z.strictObject(socketFields(path, mode)).prefault({});
}

/** See {@link WorkloadSocketSettings}. */
export const workloadSocketSchema: z.ZodPrefault<z.ZodType<WorkloadSocketSettings>> = z
  .strictObject({
    ...socketFields("/run/assay/agent/api.sock", 0o777),
    holder: socketPath
      .optional()
      .describe(
        "Socket of whoever holds the workload socket and passes it to agents, such as /run/assay/holder/holder.sock of `assay csi run`. Path and mode are then the holder's.",
      ),
  })
  .prefault({})
  .describe("Where workloads connect (SPIFFE_ENDPOINT_SOCKET).");

function socketFields(path: string, mode: number) {
  return {
    path: socketPath.default(path).describe("Path of the socket."),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, 'expected permission bits such as "0777"')
      .transform((text) => Number.parseInt(text, 8))
      .prefault(`0${mode.toString(8)}`)
      .describe("Permission bits of the socket, in octal."),
  };
}

/** See {@link OfflineSettings}. */
export const offlineSchema: z.ZodPrefault<z.ZodType<OfflineSettings>> = z
  .strictObject({
    maxAge: durationSchema
      .prefault("7d")
      .describe("Workloads are served without word from a server for this long."),
  })
  .prefault({})
  .describe("What holds while no server can be reached.");

/** See {@link LimitSettings}. */
export const limitsSchema: z.ZodPrefault<z.ZodType<LimitSettings>> = z
  .strictObject({
    maxConnections: count
      .default(4096)
      .describe("Connections of workloads at the same time. More are closed at once."),
    maxConnectionsPerCaller: count
      .default(256)
      .describe(
        "Connections at the same time of one caller, that is one container, or outside of containers one uid in one cgroup.",
      ),
    maxStreamsPerCaller: count.default(128).describe("Open streams of one caller."),
    maxCallsPerCaller: count
      .default(32)
      .describe("Calls of one caller that are being worked on at the same time."),
    maxMessageBytes: sizeSchema.prefault("256KiB").describe("Largest request of a workload."),
    maxX509Svids: count
      .default(4096)
      .describe("X509-SVIDs that are held, spares among them. Idle ones go first."),
    maxJwtSvids: count.default(4096).describe("JWT-SVIDs that are held for the next caller."),
  })
  .prefault({})
  .describe("What workloads may use up.");

/** See {@link ObservabilitySettings}. */
export function observabilitySchema(port: number): z.ZodPrefault<z.ZodType<ObservabilitySettings>> {
  return z
    .strictObject(observabilityFields(port))
    .prefault({})
    .describe("HTTP listener for /live, /ready and /metrics.");
}

/** The keys of {@link observabilitySchema}, for those that have more. */
export function observabilityFields(port: number): {
  readonly enabled: z.ZodDefault<z.ZodBoolean>;
  readonly address: z.ZodDefault<z.ZodString>;
  readonly port: z.ZodDefault<z.ZodInt>;
} {
  return {
    enabled: z.boolean().default(true).describe("Whether to listen at all."),
    address: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("IP address of the listener. It has neither TLS nor callers: keep it local."),
    port: z.int().min(0).max(65535).default(port).describe("TCP port; 0 lets the system choose."),
  };
}

/** See {@link LogSettings}. */
export const logSchema: z.ZodPrefault<z.ZodType<LogSettings>> = z
  .strictObject({
    level: z.enum(LOG_LEVELS).default("info").describe("How much is logged."),
    format: z.enum(["json", "text"]).default("json").describe("One JSON object a line, or text."),
  })
  .prefault({})
  .describe("The log, written to standard error.");

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
      .describe(
        "Whether workloads may fetch WIT-SVIDs and WIT bundles. The server has to have it on too.",
      ),
  })
  .prefault({})
  .describe("Parts that follow standards which are not finished, and may change with them.");
