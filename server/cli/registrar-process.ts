/** A registrar that is a process of its own: it reaches the server over mTLS with the X509-SVID of its pod. */
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Health } from "../../runtime/health.ts";
import { createLogger } from "../../runtime/log.ts";
import { Metrics } from "../../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../../runtime/observability.ts";
import { systemRandom as random } from "../../runtime/random.ts";
import { systemClock as clock } from "../../runtime/time/clock.ts";
import { VERSION } from "../../runtime/version.ts";
import { loadRegistrarConfig, type RegistrarConfig } from "../config/registrar-config.ts";
import { OpenCluster } from "../k8s/cluster.ts";
import { openAccess } from "../k8s/clusters.ts";
import { adminEntryApi } from "../registrar/entry-api.ts";
import { registrarMetrics } from "../registrar/metrics.ts";
import { runLeading } from "../registrar/run-leading.ts";
import { runRegistrar } from "../registrar/run-registrar.ts";
import { openIdentifiedChannel } from "./identified-channel.ts";
import type { ServiceChannel } from "./server-channel.ts";

/**
 * Runs the registrar of a configuration file until `signal` aborts.
 *
 * @throws {ConfigError} for a configuration that cannot be used
 */
export async function runRegistrarProcess(o: {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const config = await loadRegistrarConfig(o.configPath);
  const { cluster: name, trustDomain, settings, kubeconfig, context, observability } = config;
  const log = createLogger({ ...config.log, destination: "stderr" });
  const access = await openAccess(
    name,
    kubeconfig === undefined
      ? { kind: "in-cluster" }
      : { kind: "kubeconfig", path: kubeconfig, context },
    o,
  );
  const metrics = new Metrics();
  metrics.addProcess();
  const written = registrarMetrics(metrics);
  const health = new Health({ clock, log });
  let hasIdentity = false;
  health.add("identity", () =>
    hasIdentity ? { state: "ok" } : { state: "failed", detail: "waits for its X509-SVID" },
  );
  const { enabled, address, port } = observability;
  await using stack = new AsyncDisposableStack();
  if (enabled) {
    stack.use(await ObservabilityEndpoint.open({ address, port, health, metrics, log }));
  }
  log.info({ workload_api: config.workloadApi }, "Registrar waits for its SVID");
  const channel = stack.use(await openChannelUnlessEnded(config, o.signal));
  if (channel === null) {
    log.info("Registrar stopped");
    return;
  }
  hasIdentity = true;
  const open = stack.use(new OpenCluster(name, access, { clock, random, log }));
  const instance = o.env["HOSTNAME"] || `registrar-${Buffer.from(random.bytes(4)).toString("hex")}`;
  const deps = {
    cluster: {
      name,
      client: open.client,
      pods: open.pods,
      nodes: open.nodes,
      namespaces: open.namespaces,
    },
    trustDomain,
    settings,
    api: adminEntryApi(channel.client(Admin), name),
    instance,
    metrics: written,
    clock,
    random,
    log: log.child({ component: "registrar", cluster: name }),
  };
  log.info({ cluster: name, version: VERSION }, "Registrar started");
  await runLeading({ ...deps, namespace: settings.leaseNamespace }, o.signal, (leading) =>
    runRegistrar(deps, leading),
  );
  log.info("Registrar stopped");
}

/** Waits for an identity, however long there is none. @returns null when `signal` aborts before */
async function openChannelUnlessEnded(
  { server, workloadApi }: RegistrarConfig,
  signal: AbortSignal,
): Promise<ServiceChannel | null> {
  try {
    return await openIdentifiedChannel(server, workloadApi, signal);
  } catch (err) {
    if (signal.aborted) return null;
    throw err;
  }
}
