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
import type { AttestedCaller } from "../workload-attestation/attest.ts";
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

  fetchX509SVID(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof X509SVIDResponseSchema>> {
    const hasSvid = (view: WorkloadView): boolean => view.identities.length > 0;
    return this.#answers(call, (caller) => this.#deps.views.openX509(caller), {
      isAnswer: hasSvid,
      messageOf: x509SvidResponse,
    });
  }

  fetchX509Bundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof X509BundlesResponseSchema>> {
    return this.#answers(call, (caller) => this.#deps.views.openEntries(caller), {
      isAnswer: hasBundle,
      messageOf: x509BundlesResponse,
    });
  }

  fetchJWTBundles(
    _request: unknown,
    call: Call,
  ): AsyncGenerator<MessageInitShape<typeof JWTBundlesResponseSchema>> {
    return this.#answers(call, (caller) => this.#deps.views.openEntries(caller), {
      isAnswer: hasBundle,
      messageOf: jwtBundlesResponse,
    });
  }

  async fetchJWTSVID(request: JWTSVIDRequest, call: Call): Promise<JwtSvidResponse> {
    const audience = checkAudience(request.audience);
    const wanted = request.spiffeId === "" ? undefined : parseId(request.spiffeId);
    const session = await WorkloadSession.open(this.#deps, call);
    using subscription = this.#deps.views.openEntries(session.caller);
    const { entries } = await this.#firstView(session, subscription, call);
    const granted = withUniqueHints(entries.filter((e) => !wanted || e.spiffeId === wanted));
    if (granted.length === 0) throw noIdentity();
    // An identity that is not for this audience takes none of the others away; if none is for it, the cache says so.
    const allowed = granted.filter((entry) => allowsAll(entry, audience));
    const fetchOne = async (entry: GrantedEntry): Promise<JwtSvidResponse["svids"]> => {
      const svid = await this.#deps.views.fetchJwtSvid({
        caller: session.caller,
        entryId: entry.entryId,
        audience,
        signal: call.signal,
      });
      return [{ spiffeId: svid.spiffeId, svid: svid.token, hint: svid.hint }];
    };
    const svids = await Promise.all((allowed.length === 0 ? granted : allowed).map(fetchOne));
    session.requirePresence();
    return { svids: svids.flatMap((each) => each ?? []) };
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

  // The WIT profile is incubating and off (Workload API 7).
  fetchWITSVID(): never {
    throw unimplemented("WIT-SVIDs are not offered here");
  }

  fetchWITBundles(): never {
    throw unimplemented("WIT-SVIDs are not offered here");
  }

  async *#answers<T>(
    call: Call,
    open: (caller: AttestedCaller) => Subscription,
    o: { readonly isAnswer: (view: WorkloadView) => boolean; messageOf: (view: WorkloadView) => T },
  ): AsyncGenerator<T> {
    const session = await WorkloadSession.open(this.#deps, call);
    let last: T | undefined;
    for (let isOver = false; !isOver; ) {
      using subscription = open(session.caller);
      const left = new AbortController();
      const signal = AbortSignal.any([call.signal, left.signal]);
      const watching = session.selectorsChanged(signal).finally(() => left.abort());
      // A failure is thrown below, unless the call is over by then.
      watching.catch(() => {});
      try {
        for await (const view of this.#views(session, subscription, signal, o.isAnswer)) {
          session.requirePresence();
          const message = o.messageOf(view);
          // A view may differ only in what this call does not tell.
          if (!isDeepStrictEqual(message, last)) yield message;
          last = message;
          // Control comes back here when the transport takes more: the message is on its way.
          subscription.delivered(view);
        }
      } finally {
        left.abort();
      }
      isOver = !(await watching);
    }
  }

  async #firstView(
    session: WorkloadSession,
    subscription: Subscription,
    call: Call,
  ): Promise<WorkloadView> {
    for await (const view of this.#views(session, subscription, call.signal, hasBundle))
      return view;
    throw noIdentity();
  }

  #views(
    session: WorkloadSession,
    subscription: Subscription,
    signal: AbortSignal,
    isAnswer: (view: WorkloadView) => boolean,
  ): AsyncGenerator<WorkloadView> {
    return entitledViews(
      {
        feed: subscription.feed,
        clock: this.#deps.clock,
        waitMs: () => session.waitMs(),
        isAnswer,
        onRefused: (view) => session.refused(view),
        onHeld: (isServed) => this.#deps.counters?.held(isServed),
      },
      signal,
    );
  }
}

function hasBundle(view: WorkloadView): boolean {
  return view.bundle !== undefined;
}

function allowsAll({ allowedAudiences }: GrantedEntry, audience: readonly string[]): boolean {
  return allowedAudiences.length === 0 || audience.every((each) => allowedAudiences.includes(each));
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
