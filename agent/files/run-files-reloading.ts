import { Feed } from "../../runtime/feed.ts";
import { listenForHangup, type SignalSource } from "../../runtime/process/signals.ts";
import type { FilesConfig } from "../config/files-config.ts";
import { type FilesDeps, keepFilesOptions } from "./identity-files.ts";
import { runFiles } from "./run-files.ts";

/** What {@link runFilesReloading} needs. */
export interface ReloadingFilesDeps extends FilesDeps {
  /** Reads the configuration anew. @throws {ConfigError} */
  readonly readConfig: () => Promise<FilesConfig>;
  /** Where SIGHUP comes from; this process unless given. */
  readonly signals?: SignalSource;
}

/**
 * Runs {@link runFiles}, and at SIGHUP again with the configuration as it is then; one that cannot be used changes nothing. Where a
 * command is looked after, SIGHUP is for that.
 */
export async function runFilesReloading(
  first: FilesConfig,
  deps: ReloadingFilesDeps,
  signal: AbortSignal,
): Promise<number> {
  const hangups = new Feed(0);
  // Without a listener, at any moment, it would end the process.
  using _hangup = listenForHangup(() => hangups.set(hangups.value + 1), deps.signals);
  for (let config = first; ; ) {
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const replacing =
      config.command === undefined ? untilReplaced(hangups, deps, either) : undefined;
    const next = replacing?.then((found) => {
      ended.abort();
      return found;
    });
    const exitCode = await runFiles(config, deps, either).finally(() => ended.abort());
    const replacement = await next;
    if (replacement === undefined || signal.aborted) return exitCode;
    config = replacement;
    deps.log.info("Configuration was read again");
  }
}

/** The next configuration that can be used; undefined once `signal` aborts. */
async function untilReplaced(
  hangups: Feed<number>,
  deps: ReloadingFilesDeps,
  signal: AbortSignal,
): Promise<FilesConfig | undefined> {
  const seen = hangups.value;
  for await (const count of hangups.subscribe(signal)) {
    if (count === seen) continue;
    try {
      const config = await deps.readConfig();
      await keepFilesOptions(config, deps);
      return config;
    } catch (err) {
      deps.log.error({ err }, "Configuration was not read again, going on with the old one");
    }
  }
  return undefined;
}
