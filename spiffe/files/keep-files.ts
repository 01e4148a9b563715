import { runTasks } from "../../runtime/process/tasks.ts";
import type { X509Svid } from "../svid/x509-svid.ts";
import { resolveSourceOptions, type SourceOptions } from "../workloadapi/source-options.ts";
import { type FilesEvents, FilesWriter, type WriterOptions } from "./files-writer.ts";
import { IdentityWatch } from "./identity-watch.ts";

export interface KeepFilesOptions extends SourceOptions, WriterOptions {
  /** Chooses among several identities; the first unless given. */
  readonly pick?: (svids: readonly X509Svid[]) => X509Svid | undefined;
}

/**
 * Keeps files current for a program that reads its identity from files: certificates, key, bundles, JWT-SVIDs, JWK Sets. Resolves
 * once `signal` aborts; the files stay.
 *
 * @throws {SpiffeError} "endpoint_not_configured" | "endpoint_address"
 * @throws {Error} what asking the Workload API again would not change
 */
export async function keepFiles(options: KeepFilesOptions, signal: AbortSignal): Promise<void> {
  const source = resolveSourceOptions(options);
  const { files, pick = ([first]) => first } = options;
  using watch = new IdentityWatch(files, pick, source);
  const writer = new FilesWriter(options, watch.standing, source.clock, source.random);
  await runTasks(
    {
      "the watch of the identity": (until) => watch.run(until),
      "the writer of the files": (until) => writer.run(until),
    },
    signal,
  );
}

/** Writes files once and resolves when they are there. Rejects with the first failure to write, or the signal's reason. */
export async function writeFilesOnce(
  options: KeepFilesOptions,
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  let failure: Error | undefined;
  const onWritten: FilesEvents["onWritten"] = async (...args) => {
    await options.onWritten?.(...args);
    done.abort();
  };
  const onWriteFailed = (err: Error): void => {
    failure = err;
    done.abort();
  };
  await keepFiles({ ...options, onWritten, onWriteFailed }, AbortSignal.any([signal, done.signal]));
  if (failure !== undefined) throw failure;
  if (!done.signal.aborted) throw signal.reason;
}
