/**
 * The SPIFFE Workload API. Who the caller is comes from the kernel and the attestors; what it may
 * have comes from the cache. No call here waits for the server, but for a JWT-SVID that is not in
 * the cache.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  JWTBundlesResponseSchema,
  JWTSVIDRequest,
  JWTSVIDResponseSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponseSchema,
  WITBundlesResponseSchema,
  WITSVIDRequest,
  WITSVIDResponseSchema,
  X509BundlesResponseSchema,
  X509SVIDResponseSchema,
} from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { invalidArgument, unimplemented } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import type { Subscription, WorkloadView } from "../cache/workload-view.ts";
import { answers } from "./answers.ts";
import { noIdentity } from "./entitlement.ts";
import { checkAudience, fetchJwtSvids, parseSpiffeId, readJwtSvidsRequest } from "./jwt-svids.ts";
import { validateJwtSvid } from "./validate-jwt-svid.ts";
import { WitAnswers } from "./wit-svids.ts";
import { hasBundle, viewsOf, workloadAnswers } from "./workload-answers.ts";
import {
  jwtBundlesResponse,
  witBundlesResponse,
  x509BundlesResponse,
  x509SvidResponse,
} from "./workload-messages.ts";
import type { WorkloadPeer } from "./workload-peer.ts";
import { WorkloadSession, type WorkloadSessionDeps } from "./workload-session.ts";

type Call = CallContext<WorkloadPeer>;
type JwtSvidResponse = MessageInitShape<typeof JWTSVIDResponseSchema>;

/** The handlers of the `SpiffeWorkloadAPI` service. */
export class WorkloadApi implements Handlers<typeof SpiffeWorkloadAPI, WorkloadPeer> {
  readonly #deps: WorkloadSessionDeps;

  constructor(deps: WorkloadSessionDeps) {
    this.#deps = deps;
  }

  fetchX509SVID(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof X509SVIDResponseSchema>> {
    const hasSvid = (view: WorkloadView): boolean => view.identities.length > 0;
    return workloadAnswers(this.#deps, call, {
      open: (caller) => this.#deps.views.openX509(caller),
      isAnswer: hasSvid,
      messageOf: x509SvidResponse,
    });
  }

  fetchX509Bundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof X509BundlesResponseSchema>> {
    return workloadAnswers(this.#deps, call, {
      open: (caller) => this.#deps.views.openEntries(caller),
      isAnswer: hasBundle,
      messageOf: x509BundlesResponse,
    });
  }

  fetchJWTBundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof JWTBundlesResponseSchema>> {
    return workloadAnswers(this.#deps, call, {
      open: (caller) => this.#deps.views.openEntries(caller),
      isAnswer: hasBundle,
      messageOf: jwtBundlesResponse,
    });
  }

  async fetchJWTSVID(request: JWTSVIDRequest, call: Call): Promise<JwtSvidResponse> {
    const wanted = readJwtSvidsRequest(request.audience, request.spiffeId);
    const session = await WorkloadSession.open(this.#deps, call);
    const { caller } = session;
    using subscription = this.#deps.views.openEntries(caller);
    const { entries } = await this.#firstView(session, subscription, call);
    const { signal } = call;
    const svids = await fetchJwtSvids(this.#deps.views, wanted, { caller, entries, signal });
    session.requirePresence();
    return { svids: svids.map(({ spiffeId, token, hint }) => ({ spiffeId, svid: token, hint })) };
  }

  async validateJWTSVID(
    request: ValidateJWTSVIDRequest,
    call: Call,
  ): Promise<MessageInitShape<typeof ValidateJWTSVIDResponseSchema>> {
    const [audience = ""] = checkAudience([request.audience]);
    if (request.svid === "") throw invalidArgument("svid must be specified");
    const session = await WorkloadSession.open(this.#deps, call);
    using subscription = this.#deps.views.openEntries(session.caller);
    const view = await this.#firstView(session, subscription, call);
    return validateJwtSvid(request.svid, audience, view, this.#deps.clock.now());
  }

  async *fetchWITSVID(
    request: WITSVIDRequest,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof WITSVIDResponseSchema>> {
    this.#requireWits();
    const spiffeId = request.spiffeId === "" ? undefined : parseSpiffeId(request.spiffeId);
    const { views, clock } = this.#deps;
    const session = await WorkloadSession.open(this.#deps, call);
    const wits = new WitAnswers({ views, clock, spiffeId, signal: call.signal });
    yield* answers({
      workload: session,
      signal: call.signal,
      open: (caller) => views.openEntries(caller),
      views: (subscription, signal) => {
        const o = { isAnswer: hasBundle, signal };
        return wits.renewing(viewsOf(this.#deps, session, subscription, o), signal);
      },
      messageOf: (view) => wits.message(view, session.caller),
    });
  }

  async *fetchWITBundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof WITBundlesResponseSchema>> {
    this.#requireWits();
    yield* workloadAnswers(this.#deps, call, {
      open: (caller) => this.#deps.views.openEntries(caller),
      isAnswer: hasBundle,
      messageOf: witBundlesResponse,
    });
  }

  // The WIT profile is incubating (Workload API 7).
  #requireWits(): void {
    if (this.#deps.views.offersWitSvids) return;
    throw unimplemented("WIT-SVIDs are off here: experimental.witSvid of the agent", {
      reason: "disabled",
    });
  }

  async #firstView(
    session: WorkloadSession,
    subscription: Subscription,
    call: Call,
  ): Promise<WorkloadView> {
    const o = { isAnswer: hasBundle, signal: call.signal };
    for await (const view of viewsOf(this.#deps, session, subscription, o)) return view;
    throw noIdentity();
  }
}
