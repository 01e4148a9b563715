import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { FileSpec } from "../../spiffe/files/file-spec.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { parsePem } from "../../spiffe/x509/pem.ts";

export interface EarlierFilesDeps {
  readonly directory: string;
  readonly files: readonly FileSpec[];
  /** Whether files have been written in this run. */
  readonly isWritten: () => boolean;
  /** Told when the certificate of an earlier run ends. */
  readonly onFound: (notAfter: Date) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What comes sooner than this is better than what an earlier run has left. */
const PATIENCE_MS = 5_000;

/**
 * Where no identity has come for five seconds, finds out whether an earlier run has left files that are still good: a program that
 * starts again while the agent is away goes on with what it has. Resolves when that is known.
 */
export async function findEarlierFiles(deps: EarlierFilesDeps, signal: AbortSignal): Promise<void> {
  const { directory, files, isWritten, onFound, clock, log } = deps;
  await clock.sleep(PATIENCE_MS, signal);
  if (signal.aborted || isWritten()) return;
  const notAfter = await commonEnd(directory, files);
  // Something may have come while the files were read.
  if (notAfter === undefined || notAfter <= clock.now() || isWritten()) return;
  log.warn({ expires_at: notAfter }, "No identity has come, going on with files of an earlier run");
  onFound(notAfter);
}

/** When the first certificate of those files ends that begin with one's own; undefined unless all files are there. */
async function commonEnd(directory: string, files: readonly FileSpec[]): Promise<Date | undefined> {
  let end: Date | undefined;
  try {
    for (const file of files) {
      const content = await readFile(join(directory, file.name), "utf8");
      if (file.type !== "pem" || !file.holds.some((part) => part === "chain" || part === "leaf")) {
        continue;
      }
      const block = parsePem(content).find(({ label }) => label === "CERTIFICATE");
      if (block === undefined) return undefined;
      const { notAfter } = Certificate.parse(block.der);
      if (end === undefined || notAfter < end) end = notAfter;
    }
  } catch {
    // Not there, or not what we write: as good as nothing.
    return undefined;
  }
  return end;
}
