import { constants } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";

/*
 * The one place that looks behind the public surface of grpc-js (the version is pinned, and tests fail if this stops working).
 * grpc-js offers no way to reset one stream, and none to tell which call of an interceptor became which call of a handler.
 * Both are needed to bound what a hostile caller can hold.
 */

/** The parts of node's ServerHttp2Stream that are used here. */
interface ResettableStream {
  close(code: number): void;
  once(event: "close", listener: () => void): unknown;
}

/** The call object that interceptors of grpc-js see, given the one that its handlers see. */
export function interceptedCall(handlerCall: object): ServerInterceptingCallInterface | undefined {
  return "call" in handlerCall && isIntercepted(handlerCall.call) ? handlerCall.call : undefined;
}

/**
 * Ends the HTTP/2 stream of an intercepted call without waiting for the other side.
 *
 * @param answered whether a status was sent: then the other side is only told to stop sending
 * @returns false if there was no such stream; the caller must close the connection instead
 */
export function resetStream(
  intercepted: ServerInterceptingCallInterface | undefined,
  answered: boolean,
): boolean {
  if (intercepted === undefined || !("stream" in intercepted)) return false;
  if (!isResettable(intercepted.stream)) return false;
  intercepted.stream.close(answered ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
  return true;
}

/** Calls `listener` when the HTTP/2 stream of an intercepted call is gone, at once if it cannot be watched. */
export function onceClosed(
  intercepted: ServerInterceptingCallInterface,
  listener: () => void,
): void {
  if ("stream" in intercepted && isResettable(intercepted.stream)) {
    intercepted.stream.once("close", listener);
  } else {
    listener();
  }
}

function isIntercepted(value: unknown): value is ServerInterceptingCallInterface {
  return typeof value === "object" && value !== null && "sendStatus" in value;
}

function isResettable(value: unknown): value is ResettableStream {
  return (
    typeof value === "object" &&
    value !== null &&
    "close" in value &&
    typeof value.close === "function" &&
    "once" in value &&
    typeof value.once === "function"
  );
}
