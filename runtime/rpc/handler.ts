import { create, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  Metadata,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { invalidArgument, resourceExhausted, Status, StatusError } from "../errors/status-error.ts";
import { untilAborted } from "../until-aborted.ts";
import type { ActiveCall, GrpcCall } from "./active-call.ts";
import { asBuffer, asBytes, protobufCodec } from "./definition.ts";
import { reportFailure, toStatusError, toStatusObject } from "./errors.ts";
import { type Call, type Interceptor, runInterceptors } from "./interceptor.ts";
import { forEachUntilAborted, writeFrame } from "./message-stream.ts";
import type { Overdue } from "./overdue.ts";
import type { AnyCodec, AnyHandler } from "./service.ts";

type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
type ServerStream = ServerWritableStream<Buffer, Buffer>;
type DuplexStream = ServerDuplexStream<Buffer, Buffer>;
type ClientStream = ServerReadableStream<Buffer, Buffer>;

/** What the adapter of one method needs. */
export interface MethodDeps<C> {
  readonly method: DescMethod;
  readonly handler: AnyHandler<C>;
  readonly codec: AnyCodec | undefined;
  readonly interceptors: readonly Interceptor<C>[];
  /** Streams that wait for their reader, each by the function that ends it. */
  readonly slowReaders: Overdue<() => void>;
  /** Notes that a call begins; undefined if its connection has gone. */
  begin(grpc: GrpcCall): ActiveCall<C> | undefined;
  /** Notes that a call is over. */
  finish(call: ActiveCall<C>): void;
  /** Ends a call that takes nothing any more, so that what it holds is let go. */
  abandon(grpc: GrpcCall, call: ActiveCall<C>): void;
}

/** Makes the function that grpc-js calls for one method, whatever its kind. */
export function adaptMethod<C>(deps: MethodDeps<C>): UntypedHandleCall {
  const decode = requestDecoder(deps);
  const encode = responseEncoder(deps);
  switch (deps.method.methodKind) {
    case "unary":
      return (grpc: UnaryCall, callback: sendUnaryData<Buffer>) =>
        serve(deps, grpc, replyOnce(callback), (active) => {
          const request = decode(grpc.request);
          return answerOnce(deps, active, { request, given: request }, encode);
        });
    case "client_streaming":
      return (grpc: ClientStream, callback: sendUnaryData<Buffer>) =>
        serve(deps, grpc, replyOnce(callback), (active) =>
          answerOnce(deps, active, { given: decodeEach(grpc, active, decode) }, encode),
        );
    case "server_streaming":
      return (grpc: ServerStream) =>
        serve(deps, grpc, endStream(grpc), (active) => {
          const request = decode(grpc.request);
          return answerMany(deps, grpc, active, { request, given: request }, encode);
        });
    case "bidi_streaming":
      return (grpc: DuplexStream) =>
        serve(deps, grpc, endStream(grpc), (active) =>
          answerMany(deps, grpc, active, { given: decodeEach(grpc, active, decode) }, encode),
        );
  }
}

/** Sends the status of a call, with its response where there is exactly one. */
type Reply = (err: StatusError | undefined, trailer: Metadata | undefined, bytes?: Buffer) => void;

function replyOnce(callback: sendUnaryData<Buffer>): Reply {
  return (err, trailer, bytes) => {
    if (err === undefined) callback(null, bytes ?? null, trailer);
    else callback(toStatusObject(err, trailer));
  };
}

function endStream(grpc: ServerStream | DuplexStream): Reply {
  return (err, trailer) => {
    if (err === undefined) grpc.end(trailer);
    else grpc.emit("error", toStatusObject(err, trailer));
  };
}

function serve<C>(
  deps: MethodDeps<C>,
  grpc: GrpcCall,
  reply: Reply,
  answer: (active: ActiveCall<C>) => Promise<Buffer | undefined>,
): void {
  const active = deps.begin(grpc);
  if (active === undefined) {
    reply(new StatusError(Status.CANCELLED, "connection closed"), undefined);
    return;
  }
  const run = async (): Promise<void> => {
    try {
      const bytes = await answer(active);
      reply(undefined, active.trailer, bytes);
    } catch (err) {
      const status = toStatusError(err, active.endedBy, active.requestId);
      reportFailure(active.log, status);
      reply(status, active.trailer);
    } finally {
      deps.finish(active);
    }
  };
  void run();
}

/** What the handler is given, and the single request message if that is what it is. */
interface Input {
  readonly request?: Message;
  readonly given: Message | AsyncIterable<Message>;
}

type Encode = (message: unknown) => { message: Message; bytes: Buffer };

async function answerOnce<C>(
  deps: MethodDeps<C>,
  active: ActiveCall<C>,
  { request, given }: Input,
  encode: Encode,
): Promise<Buffer | undefined> {
  let bytes: Buffer | undefined;
  const call: { -readonly [K in keyof Call<C>]: Call<C>[K] } = { ctx: active, method: deps.method };
  if (request !== undefined) call.request = request;
  await runInterceptors(deps.interceptors, call, async () => {
    const encoded = encode(await deps.handler(given as never, active));
    call.response = encoded.message;
    bytes = encoded.bytes;
  });
  return bytes;
}

async function answerMany<C>(
  deps: MethodDeps<C>,
  grpc: ServerStream | DuplexStream,
  active: ActiveCall<C>,
  { request, given }: Input,
  encode: Encode,
): Promise<undefined> {
  const { method, interceptors, slowReaders } = deps;
  const call: Call<C> = { ctx: active, method, ...(request === undefined ? {} : { request }) };
  await runInterceptors(interceptors, call, async () => {
    const messages = deps.handler(given as never, active) as AsyncIterable<unknown>;
    const giveUp = (): void => {
      active.log.warn("Reset a stream whose reader was too slow");
      active.end(resourceExhausted("reader is too slow"));
      deps.abandon(grpc, active);
    };
    await forEachUntilAborted(messages, active.signal, async (message) => {
      slowReaders.expect(giveUp);
      try {
        await untilAborted(writeFrame(grpc, encode(message).bytes), active.signal);
      } finally {
        slowReaders.arrived(giveUp);
      }
    });
  });
}

async function* decodeEach<C>(
  grpc: ClientStream | DuplexStream,
  active: ActiveCall<C>,
  decode: (bytes: Buffer) => Message,
): AsyncGenerator<Message, void, undefined> {
  // A handler that stops reading has not stopped answering: the stream must not be destroyed under it.
  const frames: AsyncIterator<Buffer> = grpc.iterator({ destroyOnReturn: false });
  for (;;) {
    const frame = await untilAborted(frames.next(), active.signal);
    if (frame.done === true) return;
    yield decode(frame.value);
  }
}

function requestDecoder<C>({ method, codec }: MethodDeps<C>): (bytes: Buffer) => Message {
  const { decode } = codec?.request ?? protobufCodec(method.input);
  return (bytes) => {
    try {
      return decode(asBytes(bytes)) as Message;
    } catch (cause) {
      throw invalidArgument(`request is not a valid ${method.input.typeName}`, { cause });
    }
  };
}

function responseEncoder<C>({ method, codec }: MethodDeps<C>): Encode {
  const own = codec?.response;
  if (own !== undefined) {
    return (message) => ({
      message: message as Message,
      bytes: asBuffer(own.encode(message as never)),
    });
  }
  const { encode } = protobufCodec(method.output);
  return (init) => {
    const message = create(method.output, init as MessageInitShape<DescMethod["output"]>);
    return { message, bytes: asBuffer(encode(message)) };
  };
}
