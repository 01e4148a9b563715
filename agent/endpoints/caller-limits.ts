import { rateLimited } from "../../proto/convert/status.ts";
import { unavailable } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type Rate, TokenBuckets } from "../../runtime/time/token-buckets.ts";
import { containerHead } from "../workload-attestation/cgroup.ts";
import type { Refusals } from "./refusals.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

/**
 * Keeps one hostile process from starving the node. A caller is a container, or else a uid in a cgroup, so that neither forking
 * nor changing its uid helps it and one container does not pay for another (decision D3).
 */
export interface CallerLimitSettings {
  /** Connections that one caller may hold open. */
  readonly connectionsPerCaller: number;
  /** Streams that one caller may hold open, over all its connections. */
  readonly streamsPerCaller: number;
  /** Calls with one answer that one caller may have under way. */
  readonly callsPerCaller: number;
  /** How often one caller may call, streams among them; as often as it likes unless given. */
  readonly rate?: { readonly allowed: Rate; readonly clock: Pick<Clock, "monotonicMs"> };
}

/** Counts what each caller holds. Forgets callers that hold nothing. */
export class CallerLimits {
  readonly #settings: CallerLimitSettings;
  readonly #connections = new Counter();
  readonly #streams = new Counter();
  readonly #calls = new Counter();
  readonly #buckets: TokenBuckets | undefined;

  constructor(settings: CallerLimitSettings) {
    this.#settings = settings;
    this.#buckets = settings.rate && new TokenBuckets(settings.rate.clock);
  }

  /** Counts another call. @throws {StatusError} RESOURCE_EXHAUSTED with google.rpc.RetryInfo when it comes too soon */
  countCall(key: string): void {
    const { rate } = this.#settings;
    const waitMs = rate && this.#buckets?.take(key, rate.allowed);
    if (waitMs) throw rateLimited("this caller", rate.allowed.perSecond, waitMs);
  }

  /** @returns a handle to dispose when the connection ends, or undefined when the caller has enough */
  connect(key: string): Disposable | undefined {
    return this.#connections.take(key, this.#settings.connectionsPerCaller);
  }

  /** @returns a handle to dispose when the stream ends, or undefined when the caller has enough */
  stream(key: string): Disposable | undefined {
    return this.#streams.take(key, this.#settings.streamsPerCaller);
  }

  /** @returns a handle to dispose when the call ends, or undefined when the caller has enough */
  call(key: string): Disposable | undefined {
    return this.#calls.take(key, this.#settings.callsPerCaller);
  }
}

/**
 * The key of a caller. A container is one caller, and so is all that a user's systemd started: either can make cgroups below its
 * own and change to uids that are its own, as many as it likes. Elsewhere it is uid and cgroup path; on a pod's own socket the pod,
 * since one process may hand on the calls of several pods.
 */
export function limitKey(uid: number, cgroupPath: string, socketPod?: string): string {
  const ofUser = /^.*?\/user@\d+\.service(?=\/|$)/.exec(cgroupPath)?.[0];
  const ofContainer = containerHead(cgroupPath);
  if (ofUser === undefined || ofContainer === undefined) {
    const elsewhere = socketPod === undefined ? `${uid} ${cgroupPath}` : `pod ${socketPod}`;
    return ofUser ?? ofContainer ?? elsewhere;
  }
  // The one that stands higher: it made the other.
  return ofUser.length < ofContainer.length ? ofUser : ofContainer;
}

class Counter {
  readonly #held = new Map<string, number>();

  take(key: string, limit: number): Disposable | undefined {
    const held = this.#held.get(key) ?? 0;
    if (held >= limit) return undefined;
    this.#held.set(key, held + 1);
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        const left = (this.#held.get(key) ?? 1) - 1;
        if (left > 0) this.#held.set(key, left);
        else this.#held.delete(key);
      },
    };
  }
}

/**
 * Counts a call of any service against its caller before any of its message is here, so that one caller can make this agent
 * hold no more than its streams and calls times the largest message, over all its connections.
 *
 * @throws {StatusError} UNAVAILABLE when the caller has enough, RESOURCE_EXHAUSTED when it calls too often
 */
export function admitCall(
  o: { readonly limits: CallerLimits; readonly refusals: Refusals },
  { credentials: { pid, uid }, limitKey }: WorkloadPeer,
  { isStream }: { readonly isStream: boolean },
): Disposable {
  try {
    o.limits.countCall(limitKey);
  } catch (err) {
    o.refusals.add({ reason: "caller_limit", pid, uid });
    throw err;
  }
  const admission = isStream ? o.limits.stream(limitKey) : o.limits.call(limitKey);
  if (admission !== undefined) return admission;
  o.refusals.add({ reason: "caller_limit", pid, uid });
  throw unavailable("too many calls from this caller", { reason: "caller_limit" });
}
