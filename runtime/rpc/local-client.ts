import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { Status, StatusError } from "../errors/status-error.ts";
import type { Logger } from "../log.ts";
import { untilAborted } from "../until-aborted.ts";
import type { CallContext } from "./call-context.ts";
import type { ClientMethod, UnaryOptions } from "./client.ts";
import { methodPath } from "./definition.ts";
import { reportFailure, toStatusError } from "./errors.ts";
import { type Call, type Interceptor, runInterceptors } from "./interceptor.ts";
import type { Registration } from "./service.ts";

/** The methods of a service that have one request and one answer, as functions. */
export type UnaryClient<S extends DescService> = {
  readonly [K in keyof S["method"] as S["method"][K] extends DescMethodUnary
    ? K
    : never]: ClientMethod<S["method"][K]>;
};

/** What a caller inside of the process is, and what its calls go through. */
export interface LocalCalls<C> {
  readonly registration: Registration<C>;
  /** The same as for callers from outside. */
  readonly interceptors: readonly Interceptor<C>[];
  readonly caller: C;
  /** Names the connection that there is not. */
  readonly connectionId: string;
  readonly newRequestId: () => string;
  readonly log: Logger;
}

/**
 * The service for a caller that lives in the same process: its calls go through the same interceptors to the same handlers as those
 * that come over a socket, so it may do no more; only nothing is encoded.
 */
export function createLocalClient<S extends DescService, C>(
  desc: S,
  calls: LocalCalls<C>,
): UnaryClient<S> {
  const methods = desc.methods
    .filter(({ methodKind }) => methodKind === "unary")
    .map((method) => [
      method.localName,
      (request: MessageInitShape<DescMethod["input"]>, options: UnaryOptions) =>
        callLocally(calls, method, create(method.input, request), options),
    ]);
  return Object.fromEntries(methods) as UnaryClient<S>;
}

async function callLocally<C>(
  { registration, interceptors, caller, connectionId, newRequestId, log }: LocalCalls<C>,
  method: DescMethod,
  request: Message,
  { signal, timeoutMs, metadata = {} }: UnaryOptions,
): Promise<Message> {
  const path = methodPath(method);
  const requestId = newRequestId();
  const callLog = log.child({ request_id: requestId, rpc_method: path });
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, deadline]);
  const ctx: CallContext<C> = {
    method: path,
    caller,
    connectionId,
    signal: either,
    deadlineMs: timeoutMs,
    metadata: new Map(Object.entries(metadata).map(([key, value]) => [key, [value]])),
    log: callLog,
    requestId,
    setTrailer: () => {},
  };
  const call: { -readonly [K in keyof Call<C>]: Call<C>[K] } = { ctx, method, request };
  const handler = registration.handlers[method.localName];
  try {
    let response: Message | undefined;
    const served = runInterceptors(interceptors, call, async () => {
      const answer = await handler?.(request as never, ctx);
      response = create(method.output, answer as MessageInitShape<DescMethod["output"]>);
      call.response = response;
    });
    await untilAborted(served, either);
    if (response === undefined) throw new StatusError(Status.UNIMPLEMENTED, "not implemented");
    return response;
  } catch (err) {
    const endedBy = deadline.aborted
      ? new StatusError(Status.DEADLINE_EXCEEDED, "deadline exceeded")
      : signal.aborted
        ? new StatusError(Status.CANCELLED, "call cancelled", { cause: signal.reason })
        : undefined;
    const status = endedBy ?? toStatusError(err, undefined, requestId);
    reportFailure(callLog, status);
    throw status;
  }
}
