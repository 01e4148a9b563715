import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { formatDuration } from "../../runtime/config/duration.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { type KeepFilesOptions, writeFilesOnce } from "../../spiffe/files/keep-files.ts";
import type { X509Svid } from "../../spiffe/svid/x509-svid.ts";
import type { FilesConfig } from "../config/files-config.ts";
import { resolveFiles } from "./file-specs.ts";

/** What keeping files needs beside the configuration. */
export interface FilesDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The options of the library that a configuration means. @throws {Error} see {@link resolveFiles} */
export async function keepFilesOptions(
  config: FilesConfig,
  { env, clock, random, log }: FilesDeps,
): Promise<KeepFilesOptions> {
  const { files, directoryUid } = await resolveFiles(config);
  for (const { name, mode, ...file } of files) {
    const isKey = "holds" in file && file.holds.some((part) => part === "key");
    if (isKey && (mode & 0o004) !== 0) {
      log.warn({ file: name }, "Private key may be read by everybody on this machine");
    }
  }
  return {
    ...(config.address === undefined ? {} : { address: config.address }),
    directory: config.directory,
    directoryUid,
    layout: config.layout,
    files,
    pick: (svids) => pickIdentity(svids, config.identity),
    withdrawal: { action: config.withdrawal.action, afterMs: config.withdrawal.after },
    onProblem: problemsLog(log),
    env,
    clock,
    random,
  };
}

/** What repeats itself is told once. */
function problemsLog(log: Logger): (err: Error) => void {
  let last = "";
  return (err) => {
    const detail = describeError(err);
    if (detail === last) log.debug({ err }, "Workload API still does not give what is asked for");
    else log.warn({ err }, "Workload API does not give what is asked for");
    last = detail;
  };
}

function pickIdentity(
  svids: readonly X509Svid[],
  { spiffeId, hint }: FilesConfig["identity"],
): X509Svid | undefined {
  if (spiffeId !== undefined) return svids.find(({ id }) => id.toString() === spiffeId);
  if (hint !== undefined) return svids.find((svid) => svid.hint === hint);
  return svids[0];
}

/**
 * Writes the files once.
 *
 * @param timeoutMs how long an identity may take to come
 * @throws {CliError} refused when no identity of use was granted in time, unavailable when nobody answered
 * @throws {Error} when the files cannot be written
 */
export async function writeOnce(
  config: FilesConfig,
  deps: FilesDeps,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const options = await keepFilesOptions(config, deps);
  let last: Error | undefined;
  const onProblem = (err: Error): void => {
    last = err;
    options.onProblem?.(err);
  };
  const onWritten: KeepFilesOptions["onWritten"] = (changed, { svid }) => {
    deps.log.info(
      { spiffe_id: svid.id.toString(), expires_at: svid.leaf.notAfter, files: changed },
      "Wrote files",
    );
  };
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    await writeFilesOnce({ ...options, onProblem, onWritten }, AbortSignal.any([signal, timeout]));
  } catch (err) {
    if (!timeout.aborted) throw err;
    const isRefused =
      last instanceof SpiffeError ||
      (last instanceof StatusError && last.code === Status.PERMISSION_DENIED);
    const detail = last === undefined ? "" : `: ${describeError(last)}`;
    throw new CliError(`no identity within ${formatDuration(timeoutMs)}${detail}`, {
      exitCode: isRefused ? ExitCode.refused : ExitCode.unavailable,
    });
  }
}
