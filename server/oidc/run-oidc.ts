import { describeError } from "../../runtime/errors/describe.ts";
import { Health } from "../../runtime/health.ts";
import { createLogger } from "../../runtime/log.ts";
import { Metrics } from "../../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../../runtime/observability.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import { systemRandom as random } from "../../runtime/random.ts";
import { systemClock as clock } from "../../runtime/time/clock.ts";
import { VERSION } from "../../runtime/version.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { JwtSource } from "../../spiffe/workloadapi/jwt-source.ts";
import { watchCertificate } from "../acme/watch-certificate.ts";
import type { OidcConfig } from "../config/oidc-settings.ts";
import { ProviderEndpoint } from "./provider-endpoint.ts";
import type { Provider } from "./provider-site.ts";

/**
 * Serves OIDC discovery from the JWT authorities that the Workload API gives to this process, until `signal` aborts. While there are
 * none, requests are answered 503 and the process is not ready.
 *
 * @throws {Error} when it cannot begin: an address is taken, a certificate is none
 */
export async function runOidc(config: OidcConfig, signal: AbortSignal): Promise<void> {
  const log = createLogger({ ...config.log, destination: "stderr" });
  let source: JwtSource | undefined;
  const providers = Object.entries(config.trustDomains).map(([name, settings]): Provider => {
    const trustDomain = TrustDomain.parse(name);
    return { ...settings, bundle: () => source?.bundleFor(trustDomain) };
  });
  const health = new Health({ clock, log });
  for (const { issuer, bundle } of providers) {
    health.add(`keys ${issuer}`, () =>
      bundle() === undefined ? { state: "failed", detail: "has no keys" } : { state: "ok" },
    );
  }
  const metrics = new Metrics();
  metrics.addProcess();
  health.addTo(metrics, "assay_oidc_health");
  await using stack = new AsyncDisposableStack();
  const { enabled, address, port } = config.observability;
  if (enabled) {
    stack.use(await ObservabilityEndpoint.open({ address, port, health, metrics, log }));
  }
  const endpoint = stack.use(
    await ProviderEndpoint.open({ settings: config, providers, clock, random, log }),
  );
  if (endpoint.acme !== undefined) {
    watchCertificate({
      health,
      metrics,
      certificate: endpoint.acme,
      check: "certificate",
      metric: "assay_oidc_certificate_expires_seconds",
      clock,
    });
  }
  log.info({ port: endpoint.port, version: VERSION }, "OIDC provider started");
  await runTasks(
    {
      certificate: (stop) => endpoint.run(stop),
      keys: async (stop) => {
        await using opened = await openUnlessEnded(config.workloadApi, stop, (err) =>
          log.warn({ reason: describeError(err) }, "Workload API gives no keys, trying again"),
        );
        source = opened ?? undefined;
        while (!stop.aborted) await clock.sleep(3_600_000, stop);
      },
    },
    signal,
  );
  log.info("OIDC provider stopped");
}

/** Waits for keys, however long there are none. @returns null when `signal` aborts before */
async function openUnlessEnded(
  workloadApi: string,
  signal: AbortSignal,
  onProblem: (err: Error) => void,
): Promise<JwtSource | null> {
  try {
    return await JwtSource.open({ address: workloadApi, signal, onProblem, clock, random });
  } catch (err) {
    if (signal.aborted) return null;
    throw err;
  }
}
