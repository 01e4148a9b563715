import * as z from "zod";

/** spiffe-helper's configuration as it decodes it: the defaults of its own filled in. */
export interface HelperConfig {
  readonly agent_address: string;
  readonly cmd: string;
  readonly cmd_args: string;
  readonly pid_file_name: string;
  readonly cert_dir: string;
  readonly daemon_mode: boolean;
  readonly add_intermediates_to_bundle: boolean;
  readonly renew_signal: string;
  readonly svid_file_name: string;
  readonly svid_key_file_name: string;
  readonly svid_bundle_file_name: string;
  readonly jwt_svids: readonly HelperJwt[];
  readonly jwt_bundle_file_name: string;
  readonly include_federated_domains: boolean;
  readonly cert_file_mode: number;
  readonly key_file_mode: number;
  readonly jwt_bundle_file_mode: number;
  readonly jwt_svid_file_mode: number;
  readonly hint: string;
  readonly omit_expired: boolean;
  readonly health_checks: {
    readonly listener_enabled: boolean;
    readonly bind_port: number;
    readonly liveness_path: string;
    readonly readiness_path: string;
  };
}

export interface HelperJwt {
  readonly jwt_audience: string;
  readonly jwt_extra_audiences: readonly string[];
  readonly jwt_svid_file_name: string;
}

const text = z.string().default("");
/** Its reader takes text for a boolean too. */
const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((word) => word === "true")]);

/** Zero means that none was given. */
function mode(fallback: number) {
  const bits = z.union([
    z.int().min(0).max(0o777),
    z
      .string()
      .regex(/^0[0-7]{1,4}$/)
      .transform((digits) => Number.parseInt(digits, 8)),
  ]);
  return bits.default(0).transform((value) => (value === 0 ? fallback : value));
}

const jwt = z.strictObject({
  jwt_audience: z.string().min(1),
  jwt_extra_audiences: z.array(z.string().min(1)).default([]),
  jwt_svid_file_name: z.string().min(1),
});

const healthChecks = z
  .strictObject({
    listener_enabled: flag.default(false),
    bind_port: z
      .int()
      .min(0)
      .max(65535)
      .default(0)
      .transform((port) => port || 8081),
    liveness_path: text.transform((path) => path || "/live"),
    readiness_path: text.transform((path) => path || "/ready"),
  })
  .prefault({});

/** Decodes {@link HelperConfig}, with the rules that spiffe-helper has itself. */
export const helperConfigSchema: z.ZodType<HelperConfig> = z
  .strictObject({
    agent_address: text,
    cmd: text,
    cmd_args: text,
    pid_file_name: text,
    cert_dir: text,
    daemon_mode: flag.default(true),
    add_intermediates_to_bundle: flag.default(false),
    renew_signal: text,
    svid_file_name: text,
    svid_key_file_name: text,
    svid_bundle_file_name: text,
    jwt_svids: z.array(jwt).default([]),
    jwt_bundle_file_name: text,
    include_federated_domains: flag.default(false),
    cert_file_mode: mode(0o644),
    key_file_mode: mode(0o600),
    jwt_bundle_file_mode: mode(0o600),
    jwt_svid_file_mode: mode(0o600),
    hint: text,
    omit_expired: flag.default(false),
    health_checks: healthChecks,
  })
  .check((context) => {
    const config = context.value;
    const problem = (path: string, message: string): void => {
      context.issues.push({ code: "custom", input: config, path: [path], message });
    };
    const x509 = [config.svid_file_name, config.svid_key_file_name, config.svid_bundle_file_name];
    const given = x509.filter((name) => name !== "").length;
    if (given !== 0 && given !== x509.length) {
      problem("svid_file_name", "expected it with svid_key_file_name and svid_bundle_file_name");
    }
    if (given === 0 && config.jwt_svids.length === 0 && config.jwt_bundle_file_name === "") {
      problem("svid_file_name", "expected it, or jwt_svids, or jwt_bundle_file_name");
    }
    if (config.pid_file_name !== "" && config.renew_signal === "") {
      problem("renew_signal", "expected it beside pid_file_name");
    }
    if (config.pid_file_name !== "" && !config.daemon_mode) {
      problem("pid_file_name", "expected daemon_mode beside it");
    }
  });
