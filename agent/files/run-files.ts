import { describeError } from "../../runtime/errors/describe.ts";
import { Health } from "../../runtime/health.ts";
import type { Logger } from "../../runtime/log.ts";
import { Metrics } from "../../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../../runtime/observability.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import { VERSION } from "../../runtime/version.ts";
import type { FilesEvents } from "../../spiffe/files/files-writer.ts";
import { keepFiles } from "../../spiffe/files/keep-files.ts";
import type { FilesConfig } from "../config/files-config.ts";
import { findEarlierFiles } from "./earlier-files.ts";
import {
  addFilesHealth,
  addFilesMetrics,
  type FilesCounters,
  FilesStatus,
} from "./files-status.ts";
import { type FilesDeps, keepFilesOptions } from "./identity-files.ts";
import { Reloader } from "./reloader.ts";
import { SupervisedCommand } from "./supervised-command.ts";

/**
 * Keeps files current, and the programs that read them told, until `signal` aborts or the supervised command has ended for good.
 * The files stay.
 *
 * @returns the exit code of the command; 0 without one
 * @throws {Error} when it cannot begin, or when the Workload API refuses for good
 */
export async function runFiles(
  config: FilesConfig,
  deps: FilesDeps,
  signal: AbortSignal,
): Promise<number> {
  const { clock, random, log } = deps;
  const options = await keepFilesOptions(config, deps);
  const status = new FilesStatus();
  const metrics = new Metrics();
  metrics.addProcess();
  const counters = addFilesMetrics(metrics, status);
  const reloader = new Reloader({
    settings: config.reload,
    counted: counters.reloaded,
    clock,
    random,
    log,
  });
  const command =
    config.command &&
    new SupervisedCommand({
      settings: config.command,
      started: counters.commandStarted,
      clock,
      random,
      log,
    });
  const health = new Health({ clock, log });
  addFilesHealth(health, { status, reloader, command, clock });
  health.addTo(metrics, "assay_files_health");
  await using _endpoint = await openEndpoint(config, health, metrics, log);
  const ended = new AbortController();
  let exitCode = 0;
  log.info({ directory: config.directory, version: VERSION }, "Keeping files current");
  await runTasks(
    {
      files: (until) =>
        keepFiles({ ...options, ...eventsOf({ status, counters, reloader, command, log }) }, until),
      reloads: (until) => reloader.run(until),
      "the look at earlier files": async (until) => {
        // Who wants files removed does not want those of an identity that may be gone.
        if (config.withdrawal.action === "remove") return;
        const { directory, files } = options;
        const isWritten = (): boolean => status.isWritten;
        const onFound = (notAfter: Date): void => {
          status.foundEarlier(notAfter);
          command?.filesReady(false);
        };
        await findEarlierFiles({ directory, files, isWritten, onFound, clock, log }, until);
      },
      "the command": async (until) => {
        if (command === undefined) return;
        exitCode = await command.run(until);
        ended.abort();
      },
    },
    AbortSignal.any([signal, ended.signal]),
  );
  log.info("Stopped keeping files current");
  return exitCode;
}

function eventsOf(o: {
  readonly status: FilesStatus;
  readonly counters: FilesCounters;
  readonly reloader: Reloader;
  readonly command: SupervisedCommand | undefined;
  readonly log: Logger;
}): FilesEvents {
  const { status, counters, reloader, command, log } = o;
  return {
    onWritten: (changed, { svid }, missing) => {
      status.written(svid.leaf.notAfter, missing);
      const isChanged = changed.length > 0;
      counters.wrote(isChanged ? "changed" : "unchanged");
      const fields = { spiffe_id: svid.id.toString(), expires_at: svid.leaf.notAfter };
      if (isChanged) log.info({ ...fields, files: changed }, "Wrote files");
      else log.info(fields, "Files are as they have to be");
      if (missing.length > 0) log.warn({ files: missing }, "Files left out for want of a bundle");
      if (isChanged) reloader.request();
      command?.filesReady(isChanged);
    },
    onWithdrawn: (removed) => {
      status.withdrawn(removed);
      if (removed) log.warn("Identity is granted no longer, files were removed");
      else log.warn("Identity is granted no longer");
    },
    onWriteFailed: (err, retryInMs) => {
      status.failed(describeError(err));
      counters.wrote("failed");
      log.error({ err, retry_in_ms: Math.round(retryInMs) }, "Files could not be written");
    },
  };
}

async function openEndpoint(
  { observability }: FilesConfig,
  health: Health,
  metrics: Metrics,
  log: Logger,
): Promise<ObservabilityEndpoint | undefined> {
  const { enabled, address, port, livePath, readyPath } = observability;
  if (!enabled) return undefined;
  const aliases = { [livePath]: "/live", [readyPath]: "/ready" };
  return await ObservabilityEndpoint.open({ address, port, health, metrics, log, aliases });
}
