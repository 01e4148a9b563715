import { create } from "@bufbuild/protobuf";
import { type Refusal, RefusalSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadViews } from "../cache/workload-view.ts";
import type { AttestDeps } from "../workload-attestation/attest.ts";
import { attestProcess } from "./attest-process.ts";
import { refusalMessage } from "./refusal-message.ts";
import type { Refusals } from "./refusals.ts";

/** What is looked at. */
export interface ExplainDeps {
  readonly refusals: Pick<Refusals, "latest">;
  readonly views: Pick<WorkloadViews, "status">;
  readonly attestation: Omit<AttestDeps, "isSameProcess">;
  readonly clock: Clock;
}

/**
 * What the server is told that asks why a process here has no identity. A process that runs is attested at this moment; of one
 * that has ended there are the refusals that were kept. With `pid` 0: the newest refusals of all.
 *
 * @throws {StatusError} NOT_FOUND when the process is not there and nothing is known of it
 */
export async function explainToServer(
  { refusals, views, attestation, clock }: ExplainDeps,
  pid: number,
  signal: AbortSignal,
): Promise<readonly Refusal[]> {
  const { revision } = views.status.value;
  const message = (refusal: Parameters<typeof refusalMessage>[0]): Refusal =>
    create(RefusalSchema, refusalMessage(refusal, revision));
  if (pid === 0) return refusals.latest().map(message);
  const known = refusals.latest().filter((refusal) => refusal.pid === pid);
  try {
    const caller = await attestProcess(attestation, pid, signal);
    // Why it was refused last stays worth knowing: that the server would not sign cannot be seen from outside.
    const reason = known[0]?.uid === caller.facts.uid ? known[0].reason : undefined;
    return [message({ at: clock.now(), pid, uid: caller.facts.uid, reason, caller })];
  } catch (err) {
    if (err instanceof StatusError && known.length > 0) return known.map(message);
    throw err;
  }
}
