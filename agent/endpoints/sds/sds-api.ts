/**
 * Envoy's Secret Discovery Service, version 3, on the workload socket. Who calls is attested as for the Workload API, and what it
 * may have is the same; only the form differs, and that a proxy without identity is not sent away: it waits on its stream, because
 * it would come back only after a back-off of seconds.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  DiscoveryRequest,
  DiscoveryResponseSchema,
} from "../../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { SecretDiscoveryService } from "../../../proto/gen/envoy/service/secret/v3/sds_pb.ts";
import { invalidArgument, unimplemented } from "../../../runtime/errors/status-error.ts";
import { Feed } from "../../../runtime/feed.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import { RepeatFilter } from "../../audit/repeat-filter.ts";
import type { Subscription, ViewStatus, WorkloadView } from "../../cache/workload-view.ts";
import type { SdsSettings } from "../../config/sds-settings.ts";
import { entitledViews, noIdentity, refusalOf } from "../entitlement.ts";
import type { WorkloadCounters } from "../workload-counters.ts";
import type { WorkloadPeer } from "../workload-peer.ts";
import { WorkloadSession, type WorkloadSessionDeps } from "../workload-session.ts";
import { SecretSource } from "./secret-source.ts";
import { checkRequest, SecretStream } from "./secret-stream.ts";

type Call = CallContext<WorkloadPeer>;
type Response = MessageInitShape<typeof DiscoveryResponseSchema>;

export interface SdsApiDeps extends WorkloadSessionDeps {
  readonly sds: SdsSettings;
  readonly counters?: Pick<WorkloadCounters, "held" | "secretsRejected">;
}

/** How long the first answer waits for identities that are on their way, so that the default one stays the default. */
const issuanceWaitMs = 5_000;

/** The handlers of the `SecretDiscoveryService` service. */
export class SdsApi implements Handlers<typeof SecretDiscoveryService, WorkloadPeer> {
  readonly #deps: SdsApiDeps;
  readonly #source: SecretSource;
  readonly #repeats: RepeatFilter;

  constructor(deps: SdsApiDeps) {
    this.#deps = deps;
    this.#repeats = new RepeatFilter(deps.clock);
    this.#source = new SecretSource(deps.sds);
  }

  deltaSecrets(): never {
    throw unimplemented("DeltaSecrets is not served: set api_type to GRPC, not DELTA_GRPC");
  }

  async fetchSecrets(request: DiscoveryRequest, call: Call): Promise<Response> {
    checkRequest(request);
    const session = await WorkloadSession.open(this.#deps, call);
    using subscription = this.#deps.views.openX509(session.caller);
    const stream = this.#stream(call);
    stream.take(request);
    for await (const view of this.#entitled(session, subscription, call)) {
      const answer = stream.answer(view);
      const missing = stream.missing();
      if (missing.length > 0 || answer === undefined) {
        throw invalidArgument(
          `workload is not authorized for ${missing.length} of the requested names`,
          {
            reason: "secret_not_granted",
          },
        );
      }
      session.requirePresence();
      subscription.delivered({ ...view, identities: stream.delivered(view) });
      return answer;
    }
    throw noIdentity();
  }

  async *streamSecrets(
    requests: AsyncIterable<DiscoveryRequest>,
    call: Call,
  ): AsyncGenerator<Response> {
    const session = await WorkloadSession.open(this.#deps, call);
    const stream = this.#stream(call);
    const over = new AbortController();
    const signal = AbortSignal.any([call.signal, over.signal]);
    const asked = new Feed(0);
    const reading = readRequests(requests, stream, asked).finally(() => over.abort());
    // A failure is thrown below.
    reading.catch(() => {});
    while (!signal.aborted) yield* this.#answers(session, stream, asked, signal);
    await reading;
  }

  /** Answers for as long as the caller is what it was attested as. */
  async *#answers(
    session: WorkloadSession,
    stream: SecretStream,
    asked: Feed<number>,
    signal: AbortSignal,
  ): AsyncGenerator<Response> {
    using subscription = this.#deps.views.openX509(session.caller);
    const { feed } = subscription;
    const { status } = this.#deps.views;
    let isServed = false;
    const left = new AbortController();
    const open = AbortSignal.any([signal, left.signal]);
    const changed = new Feed(0);
    const wake = (): void => changed.set(changed.value + 1);
    const failures: unknown[] = [];
    const follow = async (source: () => Promise<unknown>): Promise<void> => {
      try {
        await source();
      } catch (error) {
        failures.push(error);
      }
      left.abort();
    };
    const following = [
      follow(() => session.selectorsChanged(open)),
      follow(() => each(feed.subscribe(open), wake)),
      follow(() => each(asked.subscribe(open), wake)),
      follow(() => each(status.subscribe(open), () => stream.isInDoubt && wake())),
    ];
    const noted = this.#noteRefusal(session, stream, subscription, open);
    try {
      for await (const _ of changed.subscribe(open)) {
        if (!stream.holdsSecrets) await this.#settled(subscription, open);
        const view = feed.value;
        const problem = refusalOf(view);
        // Outages are told as such, and take nothing away.
        if (view.serving === "offline_too_long" && problem !== undefined) throw problem;
        if (view.serving === "starting") continue;
        if (problem !== undefined && isServed) session.refused(view);
        isServed = problem === undefined;
        const answer = stream.answer(view, isCurrent(this.#deps.views.status.value));
        if (answer !== undefined) {
          session.requirePresence();
          yield answer;
        }
        // Control comes back here when the transport takes more. What was not asked for was not handed out.
        subscription.delivered({ ...view, identities: stream.delivered(view) });
      }
    } finally {
      left.abort();
      await Promise.all([...following, noted]);
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Waits until no identity is on its way any more, for as long as that may take. */
  async #settled({ feed }: Subscription, signal: AbortSignal): Promise<void> {
    if (feed.value.pending === 0) return;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const timer = this.#deps.clock.sleep(issuanceWaitMs, either).then(() => over.abort());
    for await (const { pending } of feed.subscribe(either)) if (pending === 0) break;
    over.abort();
    await timer;
  }

  /** Puts a proxy that still has nothing after a moment on the list that `assay why` shows. */
  async #noteRefusal(
    session: WorkloadSession,
    stream: SecretStream,
    { feed }: Subscription,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#deps.clock.sleep(Math.max(session.waitMs(), 1_000), signal);
    if (signal.aborted) return;
    const view = feed.value;
    const missing = stream.missing();
    const isOwn = view.entries.some(({ spiffeId }) => missing.includes(spiffeId));
    if (refusalOf(view) !== undefined || view.identities.length === 0) session.refused(view);
    else if (missing.length > 0) session.refused(view, isOwn ? undefined : "secret_not_granted");
  }

  #entitled(
    session: WorkloadSession,
    { feed }: Subscription,
    { signal }: Call,
  ): AsyncGenerator<WorkloadView> {
    const { clock } = this.#deps;
    const onRefused = (view: WorkloadView): void => session.refused(view);
    const isAnswer = (view: WorkloadView): boolean => view.identities.length > 0;
    return entitledViews(
      { feed, clock, waitMs: () => session.waitMs(), isAnswer, onRefused },
      signal,
    );
  }

  #stream({ log, caller }: Call): SecretStream {
    const { uid } = caller.credentials;
    return new SecretStream({
      source: this.#source,
      disableSpiffeValidator: this.#deps.sds.disableSpiffeCertValidation,
      onRejected: ({ nodeId, names, reason }) => {
        this.#deps.counters?.secretsRejected();
        const suppressed = this.#repeats.admit(JSON.stringify([uid, nodeId, reason]));
        if (suppressed === undefined) return;
        const shown = names.slice(0, 10);
        log.warn(
          { caller_uid: uid, proxy: nodeId, names: shown, detail: reason, suppressed },
          "Proxy rejected secrets",
        );
      },
    });
  }
}

async function readRequests(
  requests: AsyncIterable<DiscoveryRequest>,
  stream: SecretStream,
  asked: Feed<number>,
): Promise<void> {
  for await (const request of requests) {
    stream.take(request);
    asked.set(asked.value + 1);
  }
}

/** Whether a server that is there has nothing newer. */
function isCurrent({ connected, revision, serverRevision }: ViewStatus): boolean {
  return connected && revision >= serverRevision;
}

async function each<T>(values: AsyncIterable<T>, act: () => unknown): Promise<void> {
  for await (const _ of values) act();
}
