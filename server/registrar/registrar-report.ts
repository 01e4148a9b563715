import { create } from "@bufbuild/protobuf";
import {
  type RegistrarReport,
  RegistrarReportSchema,
} from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { EntryApi } from "./entry-api.ts";
import type { Hold } from "./holds.ts";

/** How a registrar is doing. */
export interface RegistrarState {
  readonly cluster: string;
  readonly instance: string;
  readonly clusterUid: string;
  readonly isLeading: boolean;
  readonly isCurrent: boolean;
  readonly pods: number;
  readonly resources: number;
  readonly entries: number;
  readonly pending: number;
  readonly failing: number;
  readonly holds: readonly Hold[];
}

/** What reporting needs. */
export interface ReportingDeps {
  readonly api: Pick<EntryApi, "report">;
  readonly state: () => RegistrarState;
  /** Told of each hold that was confirmed. */
  readonly confirmed: (holdId: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const INTERVAL_MS = 5_000;

/** Tells the server how the registrar is doing, every five seconds until `signal` aborts, and learns what was confirmed. */
export async function runReporting(deps: ReportingDeps, signal: AbortSignal): Promise<void> {
  const { api, state, confirmed, clock, log } = deps;
  let isTroubled = false;
  while (!signal.aborted) {
    try {
      for (const id of await api.report(reportOf(state()), signal)) confirmed(id);
      isTroubled = false;
    } catch (err) {
      if (signal.aborted) return;
      if (!isTroubled) log.warn({ reason: describeError(err) }, "Registrar could not report");
      isTroubled = true;
    }
    await clock.sleep(INTERVAL_MS, signal);
  }
}

function reportOf(state: RegistrarState): RegistrarReport {
  return create(RegistrarReportSchema, {
    cluster: state.cluster,
    instance: state.instance,
    clusterUid: state.clusterUid,
    leading: state.isLeading,
    current: state.isCurrent,
    pods: BigInt(state.pods),
    resources: BigInt(state.resources),
    entries: BigInt(state.entries),
    pending: BigInt(state.pending),
    failing: BigInt(state.failing),
    holds: state.holds.map(({ id, reason, message, groups, since }) => ({
      id,
      reason,
      message,
      affected: BigInt(groups?.size ?? state.entries),
      sinceMs: BigInt(since.getTime()),
    })),
  });
}
