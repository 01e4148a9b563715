import * as z from "zod";
import { durationSchema } from "../../runtime/config/duration.ts";
import { ConfigError, loadConfig } from "../../runtime/config/load.ts";
import {
  type LogSettings,
  logSchema,
  type ObservabilitySettings,
  observabilitySchema,
  type SocketSettings,
  socketSchema,
} from "./serving-settings.ts";

/** The driver as the kubelet knows it. */
export interface CsiDriverSettings {
  readonly name: string;
  readonly kubeletDir: string;
}

/** When a pod's volume is there. */
export interface CsiPublishSettings {
  readonly waitFor: "agent" | "socket";
  /** Milliseconds. */
  readonly timeout: number;
}

/** The whole configuration of `assay csi run`: defaults filled in, durations in milliseconds. */
export interface CsiConfig {
  readonly driver: CsiDriverSettings;
  readonly publish: CsiPublishSettings;
  readonly workloadSocket: SocketSettings;
  readonly holderSocket: { readonly path: string };
  /** Names beside the workload socket that lead to it. */
  readonly socketAliases: readonly string[];
  readonly podSockets: { readonly folder?: string | undefined };
  readonly podTokens: { readonly folder?: string | undefined };
  readonly observability: ObservabilitySettings;
  readonly log: LogSettings;
}

const NAME_RULE = 'expected a domain name of at most 63 characters, such as "csi.spiffe.io"';

/** CSI's own rule for a name. */
const driverName = z.string().regex(/^(?=.{1,63}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, NAME_RULE);

const folder = z
  .string()
  .max(1024)
  .regex(/^(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/, "expected an absolute path without a slash at its end");

/** What stands between the folder and the name of a pod's socket, see agent/holder/pod-socket-name.ts, with slashes. */
const POD_SOCKET_BYTES = 36 + 1 + 16 + 2;

const MAX_SOCKET_BYTES = 107;

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The kubelet gives up after two minutes; it should hear why before. */
const MAX_WAIT_MS = 100_000;

const driverSchema: z.ZodPrefault<z.ZodType<CsiDriverSettings>> = z
  .strictObject({
    name: driverName
      .default("csi.spiffe.io")
      .describe("Name of the driver, as it stands in the CSIDriver object and in pods."),
    kubeletDir: folder
      .default("/var/lib/kubelet")
      .describe("The kubelet's folder (--root-dir), at the same path here as on the node."),
  })
  .prefault({})
  .describe("The driver as the kubelet knows it.");

const publishSchema: z.ZodPrefault<z.ZodType<CsiPublishSettings>> = z
  .strictObject({
    waitFor: z
      .enum(["agent", "socket"])
      .default("agent")
      .describe(
        "What a pod with a volume waits for before it starts: an agent that has accepted connections since this driver started, or the socket alone.",
      ),
    timeout: durationSchema
      .prefault("30s")
      .describe("How long the kubelet is kept waiting before it is told to try again."),
  })
  .prefault({})
  .describe("When a volume is given to a pod.");

/** Decodes {@link CsiConfig}, and describes each key for the reference. Everything has a default. */
export const csiConfigSchema: z.ZodType<CsiConfig> = z
  .strictObject({
    driver: driverSchema,
    publish: publishSchema,
    workloadSocket: socketSchema("/run/assay/workload/api.sock", 0o777).describe(
      "Where workloads connect. Its folder is what pods get, so nothing else belongs into it.",
    ),
    socketAliases: z
      .array(z.string().regex(FILE_NAME, "expected the name of a file"))
      .max(8)
      .default(["spire-agent.sock"])
      .describe(
        "Other names under which pods find the socket in the volume, as links. The default is where pods made for SPIRE look.",
      ),
    podSockets: z
      .strictObject({
        folder: folder
          .optional()
          .describe(
            "Folder for them, on a tmpfs, for root alone. Without it all pods share one socket.",
          ),
      })
      .prefault({})
      .describe(
        "A socket for each volume, so that the socket says which pod calls where no cgroup does: gVisor, Kata. See workloadAttestors.k8s.podToken of the agent.",
      ),
    holderSocket: socketPathSchema("/run/assay/holder/holder.sock").describe(
      "Where agents ask for the workload socket (workloadSocket.holder of the agent).",
    ),
    podTokens: z
      .strictObject({
        folder: folder
          .optional()
          .describe("Folder for them, on a tmpfs. Without it they are not kept."),
      })
      .prefault({})
      .describe(
        "Tokens that the kubelet hands over for pods, for agents with workloadAttestors.k8s.podToken.",
      ),
    observability: observabilitySchema(8084),
    log: logSchema,
  })
  .check((context) => {
    const { workloadSocket, holderSocket, podTokens, podSockets, publish } = context.value;
    const problem = (path: readonly string[], message: string): void => {
      context.issues.push({ code: "custom", input: context.value, path: [...path], message });
    };
    const socketDir = workloadSocket.path.replace(/[^/]*$/, "");
    if (holderSocket.path.startsWith(socketDir)) {
      problem(["holderSocket", "path"], "expected a folder that pods do not get");
    }
    for (const [key, { folder: path }] of Object.entries({ podTokens, podSockets })) {
      if (path !== undefined && `${path}/`.startsWith(socketDir)) {
        problem([key, "folder"], "expected a folder that pods do not get");
      }
    }
    const { socketAliases } = context.value;
    if (socketAliases.includes(workloadSocket.path.slice(socketDir.length))) {
      problem(["socketAliases"], "expected other names than the socket's own");
    }
    const longest = (podSockets.folder?.length ?? 0) + POD_SOCKET_BYTES;
    if (longest + workloadSocket.path.length - socketDir.length > MAX_SOCKET_BYTES) {
      problem(["podSockets", "folder"], "expected a shorter path: a socket's may have 107 bytes");
    }
    if (publish.timeout > MAX_WAIT_MS) problem(["publish", "timeout"], "expected at most 1m40s");
  });

function socketPathSchema(path: string) {
  return z
    .strictObject({
      path: z.string().min(1).max(107).default(path).describe("Path of the socket."),
    })
    .prefault({});
}

/**
 * Reads the configuration of the driver.
 *
 * @param name in place of the driver's name in the file
 * @throws {ConfigError} with all problems at once
 */
export async function loadCsiConfig(path: string, name?: string): Promise<CsiConfig> {
  const config = await loadConfig(csiConfigSchema, path);
  if (name === undefined) return config;
  const { success } = driverName.safeParse(name);
  if (!success) throw new ConfigError("--driver-name", [{ path: "", message: NAME_RULE }]);
  return { ...config, driver: { ...config.driver, name } };
}
