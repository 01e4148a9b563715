import type { Logger } from "../../runtime/log.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AgentArchive } from "./agent-archive.ts";
import type { AuditExporter } from "./audit-exporter.ts";
import type { JournalAuditLog } from "./journal-audit-log.ts";

/** What {@link runAudit} needs. */
export interface RunAuditDeps {
  readonly audit: JournalAuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  /** What agents shipped; kept as long. */
  readonly archive?: Pick<AgentArchive, "removeOlderThan">;
  /** Segments with only older records are removed; without it none ever is. */
  readonly keepMs?: number;
  /** Where records are also written to; what was not yet written there is not removed. */
  readonly exporter?: AuditExporter | undefined;
}

const CHECKPOINT_INTERVAL_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Signs a checkpoint every minute, removes what may go, and raises the alarm when records cannot be written. */
export function runAudit(deps: RunAuditDeps, signal: AbortSignal): Promise<void> {
  const { exporter } = deps;
  return runTasks(
    {
      "audit checkpoints": (signal) => runCheckpoints(deps, signal),
      "audit alarm": (signal) => runAlarm(deps, signal),
      ...(exporter === undefined ? {} : { "audit export": (signal) => exporter.run(signal) }),
    },
    signal,
  );
}

async function runCheckpoints(deps: RunAuditDeps, signal: AbortSignal): Promise<void> {
  const { audit, clock, log, keepMs } = deps;
  let lastRemovalMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    await clock.sleep(CHECKPOINT_INTERVAL_MS, signal);
    if (signal.aborted) return;
    try {
      await audit.checkpoint();
      const removalDue = clock.monotonicMs() - lastRemovalMs >= HOUR_MS;
      if (keepMs !== undefined && removalDue) {
        const before = new Date(clock.now().getTime() - keepMs);
        await audit.removeOlderThan(before, deps.exporter?.exportedSeq);
        await deps.archive?.removeOlderThan(before);
        lastRemovalMs = clock.monotonicMs();
      }
    } catch (err) {
      log.error({ err }, "Audit checkpoint failed");
    }
  }
}

async function runAlarm({ audit, log }: RunAuditDeps, signal: AbortSignal): Promise<void> {
  let wasWritable = true;
  for await (const state of audit.state.subscribe(signal)) {
    if (state.writable === wasWritable) continue;
    wasWritable = state.writable;
    if (state.writable) {
      log.info("Audit log can be written again");
    } else {
      log.error({ cause: state.cause }, "Audit log cannot be written, issuing has stopped");
    }
  }
}
