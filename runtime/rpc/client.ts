import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type Channel, credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { ClientCalls } from "./client-calls.ts";

/** How a call with streams is made. */
export interface StreamOptions {
  /** Ends the call when it aborts; the error is then CANCELLED with the signal's reason as cause. */
  readonly signal: AbortSignal;
  /** Milliseconds after which the whole call fails with DEADLINE_EXCEEDED; without it a stream may last for ever. */
  readonly timeoutMs?: number;
  /** Sent with the request; keys in lower case. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** How a call with one answer is made. Like {@link StreamOptions}, but a deadline is required: an answer is waited for. */
export interface UnaryOptions extends StreamOptions {
  readonly timeoutMs: number;
}

/**
 * The methods of a service as functions. All errors are StatusErrors with the details the server sent. A streaming call starts
 * when its iterator is first asked, and ends when the iterator is left.
 */
export type Client<S extends DescService> = {
  readonly [K in keyof S["method"]]: ClientMethod<S["method"][K]>;
};

/** One method of a {@link Client}. */
export type ClientMethod<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options: UnaryOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options: StreamOptions) => AsyncIterable<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageInitShape<I>>,
            options: UnaryOptions,
          ) => Promise<MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageInitShape<I>>,
              options: StreamOptions,
            ) => AsyncIterable<MessageShape<O>>
          : never;

/** Makes the functions that call a service over `channel`. The channel stays the caller's to close. */
export function createClient<S extends DescService>(desc: S, channel: Channel): Client<S> {
  // The address and credentials are required by the constructor and unused behind a given channel.
  const grpc = new GrpcClient("unused", credentials.createInsecure(), { channelOverride: channel });
  const methods = desc.methods.map((method) => [method.localName, callable(grpc, method)]);
  return Object.fromEntries(methods) as Client<S>;
}

function callable(grpc: GrpcClient, method: DescMethod): unknown {
  const calls = new ClientCalls(grpc, method);
  switch (method.methodKind) {
    case "unary":
      return calls.unary.bind(calls);
    case "server_streaming":
      return calls.serverStreaming.bind(calls);
    case "client_streaming":
      return calls.clientStreaming.bind(calls);
    case "bidi_streaming":
      return calls.bidiStreaming.bind(calls);
  }
}
