/**
 * The SPIFFE Broker API (incubating): identities of a process of this node for brokers. The broker is who its X509-SVID says;
 * whom it acts for is attested as if it had called itself. Nothing here trusts what the broker says of a workload.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  API,
  FetchJWTSVIDRequest,
  FetchJWTSVIDResponseSchema,
  SubscribeToJWTBundlesRequest,
  SubscribeToJWTBundlesResponseSchema,
  SubscribeToX509BundlesRequest,
  SubscribeToX509BundlesResponseSchema,
  SubscribeToX509SVIDRequest,
  SubscribeToX509SVIDResponseSchema,
  WorkloadReference,
} from "../../../proto/gen/spiffe/broker/api_pb.ts";
import { Status, type StatusError, unavailable } from "../../../runtime/errors/status-error.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Subscription, WorkloadCaller, WorkloadView } from "../../cache/workload-view.ts";
import { CallerGoneError } from "../../workload-attestation/attest.ts";
import { refusalOf } from "../entitlement.ts";
import { fetchJwtSvids, readJwtSvidsRequest } from "../jwt-svids.ts";
import { jwtBundlesResponse, x509BundlesResponse, x509SvidResponse } from "../workload-messages.ts";
import type { WorkloadSessionDeps } from "../workload-session.ts";
import { type ActingDelegate, describeDelegate } from "./acting-delegate.ts";
import { workloadNotEntitled, workloadNotFound } from "./broker-errors.ts";
import type { BrokerPeer } from "./broker-peer.ts";
import { type DelegationErrors, delegatedAnswers, openWorkload } from "./delegated-workload.ts";
import { readBrokerReference } from "./workload-reference.ts";

type Call = CallContext<BrokerPeer>;

const errors: DelegationErrors = { gone: workloadNotFound, refusalOf: notEntitled };

/** The handlers of the `spiffe.broker.API` service. */
export class BrokerApi implements Handlers<typeof API, BrokerPeer> {
  readonly #deps: WorkloadSessionDeps;

  constructor(deps: WorkloadSessionDeps) {
    this.#deps = deps;
  }

  subscribeToX509SVID(
    request: SubscribeToX509SVIDRequest,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof SubscribeToX509SVIDResponseSchema>> {
    return this.#answers(request.reference, call, {
      open: (caller) => this.#deps.views.openX509(caller),
      isAnswer: (view) => view.identities.length > 0,
      messageOf: x509SvidResponse,
    });
  }

  subscribeToX509Bundles(
    request: SubscribeToX509BundlesRequest,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof SubscribeToX509BundlesResponseSchema>> {
    return this.#answers(request.reference, call, {
      open: (caller) => this.#deps.views.openEntries(caller),
      isAnswer: hasBundle,
      messageOf: x509BundlesResponse,
    });
  }

  subscribeToJWTBundles(
    request: SubscribeToJWTBundlesRequest,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof SubscribeToJWTBundlesResponseSchema>> {
    return this.#answers(request.reference, call, {
      open: (caller) => this.#deps.views.openEntries(caller),
      isAnswer: hasBundle,
      messageOf: jwtBundlesResponse,
    });
  }

  async fetchJWTSVID(
    request: FetchJWTSVIDRequest,
    call: Call,
  ): Promise<MessageInitShape<typeof FetchJWTSVIDResponseSchema>> {
    const reference = readBrokerReference(request.reference);
    const wanted = readJwtSvidsRequest(request.audience, request.spiffeId);
    const broker = await this.#brokerOf(call);
    using workload = await openWorkload(this.#deps, broker, reference, errors);
    const views = delegatedAnswers(this.#deps, workload, {
      open: (caller) => this.#deps.views.openEntries(caller),
      errors,
      isAnswer: hasBundle,
      messageOf: ({ entries }) => entries,
    });
    for await (const entries of views) {
      const { caller, over: signal } = workload;
      const svids = await fetchJwtSvids(this.#deps.views, wanted, { caller, entries, signal });
      workload.requirePresence();
      return { svids: svids.map(({ spiffeId, token, hint }) => ({ spiffeId, svid: token, hint })) };
    }
    throw workload.over.reason;
  }

  async *#answers<T>(
    wireReference: WorkloadReference | undefined,
    call: Call,
    o: {
      readonly open: (caller: WorkloadCaller) => Subscription;
      readonly isAnswer: (view: WorkloadView) => boolean;
      readonly messageOf: (view: WorkloadView) => T;
    },
  ): AsyncGenerator<T> {
    const reference = readBrokerReference(wireReference);
    const broker = await this.#brokerOf(call);
    using workload = await openWorkload(this.#deps, broker, reference, errors);
    yield* delegatedAnswers(this.#deps, workload, { ...o, errors });
  }

  /** Who the broker is was settled with the connection; its process is looked at for where it runs. */
  async #brokerOf(call: Call): Promise<ActingDelegate> {
    const self = await this.#deps.attest(call.caller, call.signal).catch((err: unknown) => {
      throw err instanceof CallerGoneError ? callerGone(err) : err;
    });
    return {
      ...describeDelegate(call.caller.id.toString(), self),
      call,
      over: call.signal,
      requirePresence: () => {
        if (!this.#deps.isPresent(call.caller)) throw callerGone();
      },
      [Symbol.dispose]: () => {},
    };
  }
}

function callerGone(cause?: unknown): StatusError {
  return unavailable("calling process has ended", { reason: "caller_gone", cause });
}

function hasBundle(view: WorkloadView): boolean {
  return view.bundle !== undefined;
}

function notEntitled(view: WorkloadView): StatusError | undefined {
  const refused = refusalOf(view);
  return refused?.code === Status.PERMISSION_DENIED ? workloadNotEntitled() : refused;
}
