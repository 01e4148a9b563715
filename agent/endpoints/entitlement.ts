/**
 * Decides, view by view, what an open call may be answered: the states of the endpoint in SPIFFE
 * Workload API, Appendix A. A caller without an identity hears "no identity issued" and no more; the
 * reason goes to the list of refusals (decision D10).
 */
import {
  permissionDenied,
  type StatusError,
  unavailable,
} from "../../runtime/errors/status-error.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import { NarrowedSignal } from "../../runtime/narrowed-signal.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadView } from "../cache/workload-view.ts";

export interface EntitlementDeps {
  readonly feed: ReadFeed<WorkloadView>;
  readonly clock: Clock;
  /** How long a caller without an identity is held, see identity-wait.ts. */
  readonly waitMs: () => number;
  /** What a view must hold before it is an answer. */
  readonly isAnswer: (view: WorkloadView) => boolean;
  /** Told once, when the call is refused. */
  readonly onRefused: (view: WorkloadView) => void;
  /** Why a view is no answer whatever was asked; {@link refusalOf} unless given. */
  readonly refusalOf?: (view: WorkloadView) => StatusError | undefined;
  /** Told once a caller without identity has been held, whether it has one now. */
  readonly onHeld?: (isServed: boolean) => void;
}

/** How long an identity that is granted, but not signed yet, is waited for. */
const issuanceWaitMs = 5_000;

/**
 * The views that are answers: the first one at once or as soon as it is there, then every later one.
 *
 * @throws {StatusError} PERMISSION_DENIED without an identity, at the start or later; UNAVAILABLE
 *   before the first synchronisation or while nothing could be signed
 */
export async function* entitledViews(
  deps: EntitlementDeps,
  signal: AbortSignal,
): AsyncGenerator<WorkloadView> {
  const refused = deps.refusalOf ?? refusalOf;
  const isHeld = refused(deps.feed.value) !== undefined && deps.waitMs() > 0;
  await firstAnswer(deps, refused, signal);
  if (isHeld) deps.onHeld?.(refused(deps.feed.value) === undefined);
  let answered = -1;
  for await (const view of deps.feed.subscribe(signal)) {
    const problem = refused(view);
    if (problem) {
      deps.onRefused(view);
      throw problem;
    }
    // A stream is written when the answer changes, not when an order is placed.
    if (view.version === answered || !deps.isAnswer(view)) continue;
    answered = view.version;
    yield view;
  }
}

/** Waits until the feed holds an answer, for as long as the situation deserves. */
async function firstAnswer(
  deps: EntitlementDeps,
  refused: typeof refusalOf,
  signal: AbortSignal,
): Promise<void> {
  const { feed, clock } = deps;
  const startMs = clock.monotonicMs();
  let entitlementWaitMs: number | undefined;
  for (;;) {
    const view = feed.value;
    const isRefused = refused(view) !== undefined;
    // A first answer holds every identity that is on its way, so that the default one stays the default.
    const isSettled = !isRefused && deps.isAnswer(view) && view.pending === 0;
    if (signal.aborted || isSettled) return;
    // As of the beginning: later less of the caller's time is left, and what has passed would count twice.
    entitlementWaitMs ??= deps.waitMs();
    const limitMs = isRefused ? entitlementWaitMs : issuanceWaitMs;
    const leftMs = startMs + limitMs - clock.monotonicMs();
    if (leftMs <= 0) {
      if (isRefused || deps.isAnswer(view)) return;
      deps.onRefused(view);
      throw unavailable("identity is being issued", { reason: "issuance_pending" });
    }
    await nextChange(feed, leftMs, clock, signal);
  }
}

async function nextChange(
  feed: ReadFeed<WorkloadView>,
  waitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  using waiting = new NarrowedSignal(signal);
  const timer = clock.sleep(waitMs, waiting.signal).then(() => waiting.end());
  const seen = feed.value;
  for await (const view of feed.subscribe(waiting.signal)) if (view !== seen) break;
  waiting.end();
  await timer;
}

/** Why a view is no answer whatever was asked, or undefined. */
export function refusalOf(view: WorkloadView): StatusError | undefined {
  switch (view.serving) {
    case "starting":
      return unavailable("agent has not synchronised yet", { reason: "agent_starting" });
    case "offline_too_long":
      return unavailable("agent has been without a server for too long", { reason: "offline" });
    case "banned":
      return noIdentity();
    case "ready":
      return view.entries.length === 0 ? noIdentity() : undefined;
  }
}

/** The one text for every reason, see the head of this file. */
export function noIdentity(): StatusError {
  return permissionDenied("no identity issued", { reason: "no_identity" });
}
