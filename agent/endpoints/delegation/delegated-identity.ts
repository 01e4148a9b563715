/**
 * The Delegated Identity API: identities of this node's workloads for delegates, named by selectors or by a PID. As with SPIRE
 * a stream about a workload without identities stays open and says so with an empty message: delegates subscribe before the
 * workloads' entries are there.
 */
import { isDeepStrictEqual } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  DelegatedIdentity,
  FetchJWTSVIDsRequest,
  FetchJWTSVIDsResponseSchema,
  SubscribeToJWTBundlesResponseSchema,
  SubscribeToX509BundlesResponseSchema,
  SubscribeToX509SVIDsRequest,
  SubscribeToX509SVIDsResponseSchema,
} from "../../../proto/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts";
import { notFound } from "../../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../../runtime/feed.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { CachedBundle } from "../../cache/bundle-cache.ts";
import { refusalOf } from "../entitlement.ts";
import { fetchJwtSvids, readJwtSvidsRequest } from "../jwt-svids.ts";
import type { WorkloadPeer } from "../workload-peer.ts";
import {
  delegatedJwtBundles,
  delegatedJwtSvid,
  delegatedX509Bundles,
  delegatedX509Svids,
} from "./delegated-messages.ts";
import { type DelegationErrors, delegatedAnswers, openWorkload } from "./delegated-workload.ts";
import { type DelegatesDeps, openDelegate } from "./open-delegate.ts";
import { readDelegatedReference } from "./workload-reference.ts";

type Call = CallContext<WorkloadPeer>;

const gone = (cause?: unknown) =>
  notFound("process is not there", { reason: "process_gone", cause });

/** Having nothing is an answer. */
const streamErrors: DelegationErrors = {
  gone,
  refusalOf: (view) => (view.serving === "ready" ? undefined : refusalOf(view)),
};

const callErrors: DelegationErrors = { gone, refusalOf };

/** The handlers of the `DelegatedIdentity` service. */
export class DelegatedIdentityApi implements Handlers<typeof DelegatedIdentity, WorkloadPeer> {
  readonly #deps: DelegatesDeps;

  constructor(deps: DelegatesDeps) {
    this.#deps = deps;
  }

  async *subscribeToX509SVIDs(
    request: SubscribeToX509SVIDsRequest,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof SubscribeToX509SVIDsResponseSchema>> {
    using delegate = await openDelegate(this.#deps, call);
    const reference = readDelegatedReference(request);
    using workload = await openWorkload(this.#deps, delegate, reference, streamErrors);
    yield* delegatedAnswers(this.#deps, workload, {
      open: (caller) => this.#deps.views.openX509(caller),
      errors: streamErrors,
      isAnswer: () => true,
      messageOf: delegatedX509Svids,
    });
  }

  async fetchJWTSVIDs(
    request: FetchJWTSVIDsRequest,
    call: Call,
  ): Promise<MessageInitShape<typeof FetchJWTSVIDsResponseSchema>> {
    using delegate = await openDelegate(this.#deps, call);
    const wanted = readJwtSvidsRequest(request.audience, "");
    const reference = readDelegatedReference(request);
    using workload = await openWorkload(this.#deps, delegate, reference, callErrors);
    const entries = delegatedAnswers(this.#deps, workload, {
      open: (caller) => this.#deps.views.openEntries(caller),
      errors: callErrors,
      isAnswer: () => true,
      messageOf: (view) => view.entries,
    });
    for await (const granted of entries) {
      const { caller, over: signal } = workload;
      const svids = await fetchJwtSvids(this.#deps.views, wanted, {
        caller,
        entries: granted,
        signal,
      });
      workload.requirePresence();
      return { svids: svids.map(delegatedJwtSvid) };
    }
    throw workload.over.reason;
  }

  subscribeToX509Bundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof SubscribeToX509BundlesResponseSchema>> {
    return this.#bundles(call, delegatedX509Bundles);
  }

  subscribeToJWTBundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof SubscribeToJWTBundlesResponseSchema>> {
    return this.#bundles(call, delegatedJwtBundles);
  }

  async *#bundles<T>(
    call: Call,
    messageOf: (bundles: readonly CachedBundle[]) => T,
  ): AsyncGenerator<T> {
    using delegate = await openDelegate(this.#deps, call);
    const { allBundles } = this.#deps.views;
    using own = this.#deps.views.openEntries(delegate.self);
    let last: T | undefined;
    for await (const _ of changesOf([allBundles, own.feed], delegate.over)) {
      delegate.requirePresence();
      const { federatedBundles } = own.feed.value;
      // A delegate cannot keep to limits: it gets a limited bundle only if its own entry says that it may.
      const raw = allBundles.value.filter(
        ({ limits, trustDomain }) => limits.isAny || federatedBundles.has(trustDomain),
      );
      const message = messageOf(raw);
      if (!isDeepStrictEqual(message, last)) yield message;
      last = message;
    }
    throw delegate.over.reason;
  }
}

/** Yields at once and whenever one of the feeds changes, until `signal` aborts. */
async function* changesOf(
  feeds: readonly ReadFeed<unknown>[],
  signal: AbortSignal,
): AsyncGenerator<number> {
  const changes = new Feed(0);
  const follow = async (feed: ReadFeed<unknown>): Promise<void> => {
    for await (const _ of feed.subscribe(signal)) changes.set(changes.value + 1);
  };
  for (const feed of feeds) void follow(feed);
  yield* changes.subscribe(signal);
}
