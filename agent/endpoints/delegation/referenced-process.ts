import { openPeerReader, type ProcessHandle } from "../../../runtime/peer/credentials.ts";
import { isSameProcess } from "../../../runtime/peer/process-watch.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { CallerGoneError } from "../../workload-attestation/attest.ts";
import { processOwner, readCgroupPath } from "../../workload-attestation/process-facts.ts";
import { limitKey } from "../caller-limits.ts";
import type { WorkloadPeer } from "../workload-peer.ts";

/** How late the end of a process may be noticed. The kernel tells those who poll the handle, which Node does not. */
const WATCH_MS = 500;

/**
 * A process that somebody named by its PID. It is held by a handle from the moment that it is looked up, so that a later process
 * with the same PID is never taken for it. That the PID means the right process at that moment is for those to know who name it.
 */
export class ReferencedProcess implements Disposable {
  /** As if it had connected itself. */
  readonly peer: WorkloadPeer;
  readonly #handle: ProcessHandle;

  private constructor(peer: WorkloadPeer, handle: ProcessHandle) {
    this.peer = peer;
    this.#handle = handle;
  }

  /** @throws {CallerGoneError} when there is no such process, or this system has no handles on processes */
  static open(pid: number): ReferencedProcess {
    const handle = openHandle(pid);
    try {
      const credentials = { pid, ...processOwner(pid), ...handle };
      if (!isSameProcess(credentials)) throw new Error("the process was replaced");
      const key = limitKey(credentials.uid, readCgroupPath(pid));
      return new ReferencedProcess({ credentials, limitKey: key }, handle);
    } catch (cause) {
      handle.pidfd[Symbol.dispose]();
      throw new CallerGoneError("the process cannot be read", { cause });
    }
  }

  /** Resolves soon after the process has ended, or once `signal` aborts. */
  async ended(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && isSameProcess(this.peer.credentials)) {
      await clock.sleep(WATCH_MS, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#handle.pidfd[Symbol.dispose]();
  }
}

function openHandle(pid: number): ProcessHandle {
  const { open } = openPeerReader();
  if (open === undefined) throw new CallerGoneError("this system has no handles on processes");
  try {
    return open(pid);
  } catch (cause) {
    throw new CallerGoneError("no such process", { cause });
  }
}
