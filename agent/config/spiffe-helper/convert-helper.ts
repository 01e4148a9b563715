import type { FileSettings } from "../files-file-settings.ts";
import { SIGNALS } from "../files-program-settings.ts";
import type { HelperConfig } from "./helper-config.ts";
import { splitArguments } from "./split-arguments.ts";

/** Where spiffe-helper looks for an agent that nobody names. */
const DEFAULT_AGENT = "/tmp/spire-agent/public/api.sock";

/** A configuration of ours as it would be written. */
export type FilesDocument = Readonly<Record<string, unknown>>;

/**
 * What a configuration of spiffe-helper means in ours, as it would be written in files.yaml.
 *
 * @param environmentSocket SPIFFE_ENDPOINT_SOCKET, which counts where the configuration names no agent
 * @throws {Error} for a setting that has no counterpart
 */
export function convertHelper(
  helper: HelperConfig,
  environmentSocket: string | undefined,
): FilesDocument {
  const { listener_enabled, bind_port, liveness_path, readiness_path } = helper.health_checks;
  return {
    ...address(helper.agent_address, environmentSocket),
    ...(helper.hint === "" ? {} : { identity: { hint: helper.hint } }),
    directory: helper.cert_dir === "" ? "." : helper.cert_dir,
    layout: "plain",
    files: [...x509Files(helper), ...jwtFiles(helper)],
    ...program(helper),
    ...(helper.daemon_mode ? {} : { once: true }),
    observability: listener_enabled
      ? {
          address: "0.0.0.0",
          port: bind_port,
          livePath: liveness_path,
          readyPath: readiness_path,
        }
      : { enabled: false },
  };
}

function address(given: string, fromEnvironment: string | undefined): FilesDocument {
  if (given === "" && fromEnvironment !== undefined && fromEnvironment !== "") return {};
  const path = given === "" ? DEFAULT_AGENT : given;
  return { address: /^(unix|tcp):/.test(path) ? path : `unix://${path}` };
}

type Written<T> = T extends { readonly type: infer K }
  ? { readonly type: K; readonly name: string; readonly mode: string } & Readonly<
      Record<string, unknown>
    >
  : never;

function x509Files(helper: HelperConfig): readonly Written<FileSettings>[] {
  if (helper.svid_file_name === "") return [];
  const { add_intermediates_to_bundle: moved, include_federated_domains: federated } = helper;
  const omitted = helper.omit_expired ? { omitExpired: true } : {};
  const bundle = [
    "bundle",
    ...(moved ? ["intermediates"] : []),
    ...(federated ? ["federated"] : []),
  ];
  const certificate = octal(helper.cert_file_mode);
  return [
    {
      type: "pem",
      name: plainName(helper.svid_file_name),
      holds: [moved ? "leaf" : "chain"],
      mode: certificate,
      ...omitted,
    },
    {
      type: "pem",
      name: plainName(helper.svid_key_file_name),
      holds: ["key"],
      mode: octal(helper.key_file_mode),
    },
    {
      type: "pem",
      name: plainName(helper.svid_bundle_file_name),
      holds: bundle,
      mode: certificate,
      ...omitted,
    },
  ];
}

function jwtFiles(helper: HelperConfig): readonly Written<FileSettings>[] {
  const tokens = helper.jwt_svids.map((jwt) => ({
    type: "jwt" as const,
    name: plainName(jwt.jwt_svid_file_name),
    audience: [jwt.jwt_audience, ...jwt.jwt_extra_audiences],
    mode: octal(helper.jwt_svid_file_mode),
  }));
  if (helper.jwt_bundle_file_name === "") return tokens;
  return [
    ...tokens,
    {
      type: "jwks-by-trust-domain",
      name: plainName(helper.jwt_bundle_file_name),
      mode: octal(helper.jwt_bundle_file_mode),
    },
  ];
}

/** Without daemon_mode spiffe-helper passes over the program, and so do we. */
function program(helper: HelperConfig): FilesDocument {
  if (!helper.daemon_mode) return {};
  const signal = helper.renew_signal === "" ? undefined : signalName(helper.renew_signal);
  const command = {
    run: [helper.cmd, ...splitArguments(helper.cmd_args)],
    ...(signal === undefined ? {} : { reloadSignal: signal }),
    restart: "on-renewal",
  };
  return {
    ...(helper.pid_file_name === ""
      ? {}
      : { reload: [{ type: "pidFile", path: helper.pid_file_name, signal }] }),
    ...(helper.cmd === "" ? {} : { command }),
  };
}

function signalName(text: string): string {
  if (SIGNALS.some((name) => name === text)) return text;
  throw new Error(`renew_signal: expected one of ${SIGNALS.join(", ")}`);
}

function plainName(name: string): string {
  const plain = name.replace(/^(\.\/)+/, "");
  if (!plain.includes("/")) return plain;
  throw new Error(
    `${name}: file names with a folder have no counterpart; all files are in cert_dir`,
  );
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
