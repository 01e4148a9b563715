/**
 * Answers for FetchWITSVID (Workload API 7.2.1). A WIT-SVID is made when it is asked for, with a key of the instance's own, and
 * made anew with another key for as long as the stream is open.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { WITSVIDResponseSchema } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { StatusError, unavailable } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WitSvid } from "../cache/token-cache.ts";
import type { WorkloadCaller, WorkloadView, WorkloadViews } from "../cache/workload-view.ts";
import { noIdentity } from "./entitlement.ts";
import { withUniqueHints } from "./workload-messages.ts";

type Message = MessageInitShape<typeof WITSVIDResponseSchema>;

/** How long to wait after an attempt that brought nothing new. */
const RETRY_MS = 10_000;
/** Share of a life, after its half, by which a renewal may move: what was issued together is not renewed together. */
const JITTER = 0.1;

/** The WIT-SVIDs of one stream. */
export class WitAnswers {
  readonly #views: WorkloadViews;
  readonly #clock: Clock;
  readonly #spiffeId: string | undefined;
  readonly #signal: AbortSignal;
  /** By the clock that does not jump. */
  #dueAtMs = Number.POSITIVE_INFINITY;

  /** @param spiffeId the only identity that is asked for; undefined for all */
  constructor(o: {
    readonly views: WorkloadViews;
    readonly clock: Clock;
    readonly spiffeId: string | undefined;
    readonly signal: AbortSignal;
  }) {
    this.#views = o.views;
    this.#clock = o.clock;
    this.#spiffeId = o.spiffeId;
    this.#signal = o.signal;
  }

  /**
   * The whole answer. Identities for which there is no token now are left out, and tried again.
   *
   * @throws {StatusError} PERMISSION_DENIED when none is granted that is asked for; what the server said when there is no token
   */
  async message(view: WorkloadView, caller: WorkloadCaller): Promise<Message> {
    const id = this.#spiffeId;
    const wanted = view.entries.filter((entry) => id === undefined || entry.spiffeId === id);
    const granted = withUniqueHints(wanted);
    if (granted.length === 0) throw noIdentity();
    const signal = this.#signal;
    const fetched = await Promise.allSettled(
      granted.map(({ entryId }) => this.#views.fetchWitSvid({ caller, entryId, signal })),
    );
    const svids = fetched.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const failed = fetched.find((each) => each.status === "rejected");
    if (failed !== undefined && svids.length === 0) throw asStatus(failed.reason);
    this.#dueAtMs = this.#clock.monotonicMs() + this.#waitMs(svids, failed !== undefined);
    return {
      svids: svids.map(({ spiffeId, token, privateJwk, hint }) => ({
        spiffeId,
        witSvid: token,
        witSvidKey: privateJwk,
        hint,
      })),
    };
  }

  /** The views that are given, and the latest one again whenever a token is to be renewed. */
  async *renewing(
    views: AsyncGenerator<WorkloadView>,
    signal: AbortSignal,
  ): AsyncGenerator<WorkloadView> {
    let latest: WorkloadView | undefined;
    let upcoming = views.next();
    try {
      for (;;) {
        const next = latest === undefined ? await upcoming : await this.#orDue(upcoming, signal);
        if (next?.done === true) return;
        if (next !== undefined) {
          latest = next.value;
          upcoming = views.next();
        }
        if (latest !== undefined) yield latest;
      }
    } finally {
      // A failure of what nobody waits for any more.
      upcoming.catch(() => {});
    }
  }

  async #orDue<T>(upcoming: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    const over = new AbortController();
    const waitMs = Math.max(0, this.#dueAtMs - this.#clock.monotonicMs());
    const due = this.#clock.sleep(waitMs, AbortSignal.any([signal, over.signal]));
    try {
      return await Promise.race([
        upcoming,
        due.then(() => (signal.aborted ? upcoming : undefined)),
      ]);
    } finally {
      over.abort();
    }
  }

  #waitMs(svids: readonly WitSvid[], isIncomplete: boolean): number {
    const now = this.#clock.now().getTime();
    const waits = svids.map((svid) => {
      const untilDueMs = renewAtMs(svid) - now;
      return untilDueMs > 0 ? untilDueMs : RETRY_MS;
    });
    return Math.min(...waits, ...(isIncomplete ? [RETRY_MS] : []));
  }
}

/** After half of the life, when the cache asks for another. A token's ID is drawn at random, so it serves as the draw. */
function renewAtMs({ issuedAt, expiresAt, jti = "" }: WitSvid): number {
  const lifeMs = expiresAt.getTime() - issuedAt.getTime();
  const draw = (Buffer.from(jti, "base64url")[0] ?? 0) / 256;
  return issuedAt.getTime() + lifeMs * (0.5 + JITTER * draw);
}

function asStatus(err: unknown): StatusError {
  if (err instanceof StatusError) return err;
  return unavailable("WIT-SVID could not be issued", { reason: "issuance_refused", cause: err });
}
