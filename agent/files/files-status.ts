import type { CheckResult, Health } from "../../runtime/health.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Reloader } from "./reloader.ts";
import type { SupervisedCommand } from "./supervised-command.ts";

/** What `assay files run` knows of its own work; health and metrics read it. */
export class FilesStatus {
  #notAfter: Date | undefined;
  #isWithdrawn = false;
  #areRemoved = false;
  #isEarlier = false;
  #isWritten = false;
  #failure: string | undefined;
  #missing: readonly string[] = [];

  /** @param notAfter when the certificate in the files ends @param missing files whose trust domain has no bundle here */
  written(notAfter: Date, missing: readonly string[]): void {
    this.#notAfter = notAfter;
    this.#missing = missing;
    this.#isWritten = true;
    this.#isEarlier = false;
    this.#isWithdrawn = false;
    this.#areRemoved = false;
    this.#failure = undefined;
  }

  /** An earlier run has left files. @param notAfter when the certificate in them ends */
  foundEarlier(notAfter: Date): void {
    this.#notAfter = notAfter;
    this.#isEarlier = true;
  }

  /** Whether files have been written in this run. */
  get isWritten(): boolean {
    return this.#isWritten;
  }

  withdrawn(removed: boolean): void {
    this.#isWithdrawn = true;
    this.#areRemoved = removed;
  }

  failed(detail: string): void {
    this.#failure = detail;
  }

  /** When the certificate in the files ends; undefined while there is none. */
  get notAfter(): Date | undefined {
    return this.#areRemoved ? undefined : this.#notAfter;
  }

  get identity(): CheckResult {
    if (this.#areRemoved) return { state: "failed", detail: "withdrawn, files are removed" };
    if (this.#isWithdrawn) return { state: "degraded", detail: "withdrawn, files are kept" };
    if (this.#isEarlier) return { state: "degraded", detail: "files are of an earlier run" };
    return this.#notAfter === undefined
      ? { state: "failed", detail: "no identity has come yet" }
      : { state: "ok" };
  }

  /** @param now decides whether what is in the files has ended */
  files(now: Date): CheckResult {
    if (this.#notAfter !== undefined && this.#notAfter <= now) {
      return { state: "failed", detail: "the certificate in the files has ended" };
    }
    if (this.#failure !== undefined) {
      return { state: this.#notAfter === undefined ? "failed" : "degraded", detail: this.#failure };
    }
    return this.#missing.length === 0
      ? { state: "ok" }
      : { state: "degraded", detail: `no bundle for ${this.#missing.join(", ")}` };
  }
}

/** Declares the health of the process: ready means that the files are there and that what is in them has not ended. */
export function addFilesHealth(
  health: Health,
  {
    status,
    reloader,
    command,
    clock,
  }: {
    readonly status: FilesStatus;
    readonly reloader: Pick<Reloader, "failure">;
    readonly command: Pick<SupervisedCommand, "isRunning" | "lastExitCode"> | undefined;
    readonly clock: Clock;
  },
): void {
  health.add("identity", () => status.identity);
  health.add("files", () => status.files(clock.now()));
  health.add("reload", () =>
    reloader.failure === undefined
      ? { state: "ok" }
      : { state: "degraded", detail: reloader.failure },
  );
  if (command === undefined) return;
  health.add("command", () => {
    const { isRunning, lastExitCode: code = 0 } = command;
    if (isRunning || code === 0) return { state: "ok" };
    return { state: "degraded", detail: `ended with exit code ${code}` };
  });
}

/** Counters of the process. */
export interface FilesCounters {
  readonly wrote: (outcome: "changed" | "unchanged" | "failed") => void;
  readonly reloaded: (outcome: "done" | "failed") => void;
  readonly commandStarted: () => void;
}

/** Declares the metrics of the process. */
export function addFilesMetrics(metrics: Metrics, status: FilesStatus): FilesCounters {
  const writes = metrics.counter(
    "assay_files_writes_total",
    "Changes of the identity, by what became of the files.",
    ["outcome"],
  );
  const reloads = metrics.counter(
    "assay_files_reloads_total",
    "Programs that were told of new files, by outcome.",
    ["outcome"],
  );
  const starts = metrics.counter(
    "assay_files_command_starts_total",
    "Starts of the supervised command.",
  );
  metrics.gauge(
    "assay_files_svid_expires_seconds",
    "When the certificate in the files ends, in seconds of Unix time; 0 without one.",
    [],
    (gauge) => gauge.set((status.notAfter?.getTime() ?? 0) / 1000),
  );
  return {
    wrote: (outcome) => writes.inc({ outcome }),
    reloaded: (outcome) => reloads.inc({ outcome }),
    commandStarted: () => starts.inc(),
  };
}
