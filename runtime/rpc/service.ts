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
import type { CallContext } from "./call-context.ts";
import type { MessageCodec } from "./definition.ts";

/**
 * The implementation of a protobuf service, one function per method: a missing one is a compile error. What it throws becomes
 * the status of the call (see rpc/errors.ts). Byte fields of requests are views of the received frame: copy what you keep.
 */
export type Handlers<S extends DescService, C = unknown> = {
  readonly [K in keyof S["method"]]: Handler<S["method"][K], C>;
};

/** The implementation of one method. */
export type Handler<M extends DescMethod, C> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, ctx: CallContext<C>) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, ctx: CallContext<C>) => AsyncIterable<MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            ctx: CallContext<C>,
          ) => Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageShape<I>>,
              ctx: CallContext<C>,
            ) => AsyncIterable<MessageInitShape<O>>
          : never;

/** Codecs that replace the ordinary ones of some methods, for hot paths. Missing halves stay as they are. */
export type Codecs<S extends DescService> = {
  readonly [K in keyof S["method"]]?: {
    readonly request?: Pick<MessageCodec<MessageShape<S["method"][K]["input"]>>, "decode">;
    readonly response?: Pick<
      MessageCodec<unknown, MessageInitShape<S["method"][K]["output"]>>,
      "encode"
    >;
  };
};

/** A service with its implementation, ready to be given to `RpcServer.create`. */
export interface Registration<C = unknown> {
  readonly desc: DescService;
  /** By local method name. Their types were checked by {@link service}. */
  readonly handlers: Readonly<Record<string, AnyHandler<C>>>;
  readonly codecs: Readonly<Record<string, AnyCodec | undefined>>;
}

/** A handler whose message types are no longer known to the compiler. */
export type AnyHandler<C> = (request: never, ctx: CallContext<C>) => unknown;

/** A codec pair whose message types are no longer known to the compiler. */
export interface AnyCodec {
  readonly request?: { decode(bytes: Uint8Array): unknown };
  readonly response?: { encode(message: never): Uint8Array };
}

/** Ties an implementation to a protobuf service. */
export function service<S extends DescService, C>(
  desc: S,
  handlers: Handlers<S, C>,
  codecs: Codecs<S> = {},
): Registration<C> {
  return { desc, handlers: handlers as Registration<C>["handlers"], codecs };
}
