import { notFound } from "../../runtime/errors/status-error.ts";
import { readStartTime } from "../../runtime/peer/pid-fd.ts";
import {
  type AttestDeps,
  type AttestedCaller,
  attestCaller,
  CallerGoneError,
} from "../workload-attestation/attest.ts";
import { processOwner } from "../workload-attestation/process-facts.ts";

/** How long an explanation may wait for what is not known at once. */
const patienceMs = 2_000;

/**
 * Attests a process of this node as if it had called, for those who ask why it has no identity. Attestors that have to ask others
 * get a moment to do so.
 *
 * @throws {StatusError} NOT_FOUND when there is no such process, or no more
 */
export async function attestProcess(
  deps: Omit<AttestDeps, "isSameProcess">,
  pid: number,
  signal: AbortSignal,
): Promise<AttestedCaller> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  for (;;) {
    const caller = await attestNow(deps, pid, signal);
    const open = caller.undecided
      .filter(({ transient }) => transient)
      .flatMap(({ retry }) => retry ?? []);
    if (open.length === 0 || limited.aborted) return caller;
    await Promise.race(open.map(({ when }) => when(limited)));
  }
}

async function attestNow(
  deps: Omit<AttestDeps, "isSameProcess">,
  pid: number,
  signal: AbortSignal,
): Promise<AttestedCaller> {
  const gone = (cause: unknown): never => {
    throw notFound(`process ${pid} is not there`, { reason: "process_gone", cause });
  };
  let owner: { uid: number; gid: number };
  try {
    owner = processOwner(pid);
  } catch (cause) {
    return gone(cause);
  }
  // Nobody holds a handle on a process that did not call: its start time has to do.
  const startTime = readStartTime(pid);
  const isSameProcess = (): boolean => readStartTime(pid) === startTime;
  return attestCaller({ ...deps, isSameProcess }, { credentials: { pid, ...owner } }, signal).catch(
    (err) => {
      if (err instanceof CallerGoneError) return gone(err);
      throw err;
    },
  );
}
