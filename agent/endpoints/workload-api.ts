/**
 * The SPIFFE Workload API. Who the caller is comes from the kernel and the attestors; what it may
 * have comes from the cache. No call here waits for the server, but for a JWT-SVID that is not in
 * the cache.
 */
import { isDeepStrictEqual } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  JWTBundlesResponseSchema,
  JWTSVIDRequest,
  JWTSVIDResponseSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponseSchema,
  X509BundlesResponseSchema,
  X509SVIDResponseSchema,
} from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { invalidArgument, unimplemented } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { GrantedEntry, Subscription, WorkloadView } from "../cache/workload-view.ts";
import { entitledViews, noIdentity } from "./entitlement.ts";
import { validateJwtSvid } from "./validate-jwt-svid.ts";
import {
  jwtBundlesResponse,
  withUniqueHints,
  x509BundlesResponse,
  x509SvidResponse,
} from "./workload-messages.ts";
import type { WorkloadPeer } from "./workload-peer.ts";
import { WorkloadSession, type WorkloadSessionDeps } from "./workload-session.ts";

type Call = CallContext<WorkloadPeer>;
type JwtSvidResponse = MessageInitShape<typeof JWTSVIDResponseSchema>;

/** The most audiences that one JWT-SVID request may name. */
const maxAudiences = 64;
const maxAudienceLength = 1024;

/** The handlers of the `SpiffeWorkloadAPI` service. */
export class WorkloadApi implements Handlers<typeof SpiffeWorkloadAPI, WorkloadPeer> {
  readonly #deps: WorkloadSessionDeps;

  constructor(deps: WorkloadSessionDeps) {
    this.#deps = deps;
  }

  async *fetchX509SVID(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof X509SVIDResponseSchema>> {
    using session = await WorkloadSession.open(this.#deps, call, "stream");
    using subscription = this.#deps.views.openX509(session.caller);
    const hasSvid = (view: WorkloadView): boolean => view.identities.length > 0;
    yield* this.#answers(session, subscription, call, hasSvid, x509SvidResponse);
  }

  async *fetchX509Bundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof X509BundlesResponseSchema>> {
    using session = await WorkloadSession.open(this.#deps, call, "stream");
    using subscription = this.#deps.views.openEntries(session.caller);
    yield* this.#answers(session, subscription, call, hasBundle, x509BundlesResponse);
  }

  async *fetchJWTBundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof JWTBundlesResponseSchema>> {
    using session = await WorkloadSession.open(this.#deps, call, "stream");
    using subscription = this.#deps.views.openEntries(session.caller);
    yield* this.#answers(session, subscription, call, hasBundle, jwtBundlesResponse);
  }

  async fetchJWTSVID(request: JWTSVIDRequest, call: Call): Promise<JwtSvidResponse> {
    const audience = checkAudience(request.audience);
    const wanted = request.spiffeId === "" ? undefined : parseId(request.spiffeId);
    using session = await WorkloadSession.open(this.#deps, call, "call");
    using subscription = this.#deps.views.openEntries(session.caller);
    const { entries } = await this.#firstView(session, subscription, call);
    const granted = withUniqueHints(entries.filter((e) => !wanted || e.spiffeId === wanted));
    if (granted.length === 0) throw noIdentity();
    const fetchOne = async (entry: GrantedEntry): Promise<JwtSvidResponse["svids"]> => {
      const svid = await this.#deps.views.fetchJwtSvid({
        caller: session.caller,
        entryId: entry.entryId,
        audience,
        signal: call.signal,
      });
      return [{ spiffeId: svid.spiffeId, svid: svid.token, hint: svid.hint }];
    };
    const svids = await Promise.all(granted.map(fetchOne));
    return { svids: svids.flatMap((each) => each ?? []) };
  }

  async validateJWTSVID(
    request: ValidateJWTSVIDRequest,
    call: Call,
  ): Promise<MessageInitShape<typeof ValidateJWTSVIDResponseSchema>> {
    const [audience = ""] = checkAudience([request.audience]);
    if (request.svid === "") throw invalidArgument("svid must be specified");
    using session = await WorkloadSession.open(this.#deps, call, "call");
    using subscription = this.#deps.views.openEntries(session.caller);
    const view = await this.#firstView(session, subscription, call);
    return validateJwtSvid(request.svid, audience, view, this.#deps.clock.now());
  }

  // The WIT profile is incubating and off (Workload API 7).
  fetchWITSVID(): never {
    throw unimplemented("WIT-SVIDs are not offered here");
  }

  fetchWITBundles(): never {
    throw unimplemented("WIT-SVIDs are not offered here");
  }

  async *#answers<T>(
    session: WorkloadSession,
    subscription: Subscription,
    call: Call,
    isAnswer: (view: WorkloadView) => boolean,
    messageOf: (view: WorkloadView) => T,
  ): AsyncGenerator<T> {
    let last: T | undefined;
    for await (const view of this.#views(session, subscription, call, isAnswer)) {
      const message = messageOf(view);
      // A view may differ only in what this call does not tell.
      if (!isDeepStrictEqual(message, last)) yield message;
      last = message;
      // Control comes back here when the transport takes more: the message is on its way.
      subscription.delivered(view);
    }
  }

  async #firstView(
    session: WorkloadSession,
    subscription: Subscription,
    call: Call,
  ): Promise<WorkloadView> {
    for await (const view of this.#views(session, subscription, call, hasBundle)) return view;
    throw noIdentity();
  }

  #views(
    session: WorkloadSession,
    subscription: Subscription,
    call: Call,
    isAnswer: (view: WorkloadView) => boolean,
  ): AsyncGenerator<WorkloadView> {
    return entitledViews(
      {
        feed: subscription.feed,
        clock: this.#deps.clock,
        waitMs: () => session.waitMs(),
        isAnswer,
        onRefused: (view) => session.refused(view),
      },
      call.signal,
    );
  }
}

function hasBundle(view: WorkloadView): boolean {
  return view.bundle !== undefined;
}

function checkAudience(audience: readonly string[]): readonly string[] {
  if (audience.length === 0 || audience.includes("")) {
    throw invalidArgument("audience must be specified");
  }
  if (audience.length > maxAudiences || audience.some((a) => a.length > maxAudienceLength)) {
    throw invalidArgument(
      `audience: at most ${maxAudiences} values of ${maxAudienceLength} characters`,
    );
  }
  return audience;
}

function parseId(text: string): string {
  try {
    return SpiffeId.parse(text).toString();
  } catch (cause) {
    throw invalidArgument("spiffe_id is no SPIFFE ID", { cause });
  }
}
