import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { CallContext } from "./call-context.ts";

/** A call on its way through the interceptors. */
export interface Call<C = unknown> {
  readonly ctx: CallContext<C>;
  readonly method: DescMethod;
  /** The request message; absent when the caller sends a stream of them. */
  readonly request?: Message;
  /** The response message, once `next` has resolved; absent when the method answers with a stream, and after a failure. */
  readonly response?: Message;
}

/**
 * Wraps calls of every kind. `next()` runs the rest of the call and resolves when it is over, for a stream after the last
 * message was handed to the transport; it rejects with what the handler or a later interceptor threw. An interceptor that
 * throws instead of calling `next` refuses the call; it may replace an error, and it must call `next` at most once.
 * Interceptors run in the order of their list, the first outermost.
 */
export type Interceptor<C = unknown> = (call: Call<C>, next: () => Promise<void>) => Promise<void>;

/** Runs `call` through `interceptors`, then through `last`. */
export function runInterceptors<C>(
  interceptors: readonly Interceptor<C>[],
  call: Call<C>,
  last: () => Promise<void>,
): Promise<void> {
  const step = (index: number): Promise<void> => {
    const interceptor = interceptors[index];
    return interceptor === undefined ? last() : interceptor(call, () => step(index + 1));
  };
  return step(0);
}
