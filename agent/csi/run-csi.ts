import { hostname } from "node:os";
import { createLogger } from "../../runtime/log.ts";
import { openMountCalls } from "../../runtime/mount/mount-calls.ts";
import { settleDown } from "../../runtime/process/settle-down.ts";
import { listenForHangup } from "../../runtime/process/signals.ts";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { VERSION } from "../../runtime/version.ts";
import type { CsiConfig } from "../config/csi-config.ts";
import { CsiDriver } from "./csi-driver.ts";

/** Name of the node, in the environment of a pod. */
const NODE_NAME = "ASSAY_NODE_NAME";

/**
 * Holds the workload socket and serves the CSI driver in this process until `signal` aborts.
 *
 * @throws {Error} when it cannot begin: a socket cannot be had
 */
export async function runCsi(o: {
  readonly config: CsiConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { config, env, signal } = o;
  const log = createLogger({ ...config.log, destination: "stderr" });
  const nodeId = env[NODE_NAME] ?? hostname();
  await using driver = await CsiDriver.open({
    config,
    nodeId,
    admittedUids: new Set([0, process.geteuid?.() ?? 0]),
    mounts: openMountCalls(),
    version: VERSION,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  log.info({ driver: config.driver.name, node: nodeId, version: VERSION }, "CSI driver started");
  // Without a listener it would end the process.
  using _hangup = listenForHangup(() => {
    log.warn("SIGHUP has no effect, the driver reads its configuration when it starts");
  });
  await Promise.all([driver.run(signal), settleDown(systemClock, signal)]);
  log.info("CSI driver stopped");
}
