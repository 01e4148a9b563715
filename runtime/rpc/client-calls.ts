import type { DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type Client as GrpcClient,
  type CallOptions as GrpcOptions,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { internal, Status, StatusError } from "../errors/status-error.ts";
import { systemClock } from "../time/clock.ts";
import { untilAborted } from "../until-aborted.ts";
import type { StreamOptions, UnaryOptions } from "./client.ts";
import { asBuffer, asBytes, methodPath, protobufCodec } from "./definition.ts";
import { type FrameWriter, forEachUntilAborted, writeFrame } from "./message-stream.ts";
import { decodeStatusDetails, STATUS_DETAILS_KEY } from "./status-details.ts";

type Init = MessageInitShape<DescMethod["input"]>;
type Callback = (err: ServiceError | null, answer?: Buffer) => void;

/** The four ways to call one method, on grpc-js's client. The types of the messages are the caller's to know. */
export class ClientCalls {
  readonly #grpc: GrpcClient;
  readonly #method: DescMethod;
  readonly #path: string;
  readonly #encode: (message: Init) => Uint8Array;
  readonly #decode: (bytes: Uint8Array) => Message;

  constructor(grpc: GrpcClient, method: DescMethod) {
    this.#grpc = grpc;
    this.#method = method;
    this.#path = methodPath(method);
    this.#encode = protobufCodec(method.input).encode;
    this.#decode = protobufCodec(method.output).decode;
  }

  async unary(request: Init, options: UnaryOptions): Promise<Message> {
    const bytes = asBuffer(this.#encode(request));
    const metadata = toMetadata(options);
    const answer = await awaitAnswer(options.signal, (callback) =>
      this.#grpc.makeUnaryRequest(
        this.#path,
        identity,
        identity,
        bytes,
        metadata,
        toGrpcOptions(options),
        callback,
      ),
    );
    return this.#read(answer);
  }

  serverStreaming(request: Init, options: StreamOptions): AsyncIterable<Message> {
    return this.#receive(options, () =>
      this.#grpc.makeServerStreamRequest(
        this.#path,
        identity,
        identity,
        asBuffer(this.#encode(request)),
        toMetadata(options),
        toGrpcOptions(options),
      ),
    );
  }

  async clientStreaming(requests: AsyncIterable<Init>, options: UnaryOptions): Promise<Message> {
    const done = new AbortController();
    let failure: unknown;
    try {
      const answer = await awaitAnswer(options.signal, (callback) => {
        const call = this.#grpc.makeClientStreamRequest(
          this.#path,
          identity,
          identity,
          toMetadata(options),
          toGrpcOptions(options),
          callback,
        );
        this.#send(requests, call, done.signal).catch((err: unknown) => {
          failure ??= err;
          call.cancel();
        });
        return call;
      });
      return this.#read(answer);
    } catch (err) {
      throw failure ?? err;
    } finally {
      done.abort();
    }
  }

  async *bidiStreaming(
    requests: AsyncIterable<Init>,
    options: StreamOptions,
  ): AsyncGenerator<Message, void, undefined> {
    const done = new AbortController();
    let failure: unknown;
    try {
      yield* this.#receive(options, () => {
        const call = this.#grpc.makeBidiStreamRequest(
          this.#path,
          identity,
          identity,
          toMetadata(options),
          toGrpcOptions(options),
        );
        this.#send(requests, call, done.signal).catch((err: unknown) => {
          failure ??= err;
          call.cancel();
        });
        return call;
      });
    } catch (err) {
      throw failure ?? err;
    } finally {
      done.abort();
    }
  }

  async *#receive(
    { signal }: StreamOptions,
    start: () => ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>,
  ): AsyncGenerator<Message, void, undefined> {
    if (signal.aborted) throw cancelled(signal);
    const call = start();
    const cancel = (): void => call.cancel();
    // The cancellation below comes back as an error when the iterator has stopped listening.
    call.on("error", () => {});
    signal.addEventListener("abort", cancel);
    try {
      for await (const frame of call) yield this.#read(frame);
    } catch (err) {
      throw isServiceError(err) ? toStatusError(err, signal) : err;
    } finally {
      signal.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  /** Sends requests as fast as they are taken. Resolves early once `done` aborts: then nobody wants them any more. */
  async #send(
    requests: AsyncIterable<Init>,
    call: FrameWriter & { end(): unknown },
    done: AbortSignal,
  ): Promise<void> {
    try {
      await forEachUntilAborted(requests, done, (request) =>
        untilAborted(writeFrame(call, asBuffer(this.#encode(request))), done),
      );
      call.end();
    } catch (err) {
      if (!done.aborted) throw err;
    }
  }

  #read(frame: Buffer): Message {
    try {
      return this.#decode(asBytes(frame));
    } catch (cause) {
      throw internal(`response is not a valid ${this.#method.output.typeName}`, { cause });
    }
  }
}

function awaitAnswer(
  signal: AbortSignal,
  start: (callback: Callback) => { cancel(): void },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled(signal));
      return;
    }
    const cancel = (): void => call.cancel();
    const call = start((err, answer) => {
      signal.removeEventListener("abort", cancel);
      if (err !== null) reject(toStatusError(err, signal));
      else resolve(answer ?? Buffer.alloc(0));
    });
    signal.addEventListener("abort", cancel);
  });
}

function toMetadata({ metadata }: StreamOptions): Metadata {
  const result = new Metadata();
  for (const [key, value] of Object.entries(metadata ?? {})) result.set(key, value);
  return result;
}

// The machine's clock, because grpc-js counts by it, and from an instant.
function toGrpcOptions({ timeoutMs }: StreamOptions): GrpcOptions {
  return timeoutMs === undefined ? {} : { deadline: systemClock.now().getTime() + timeoutMs };
}

function toStatusError(err: ServiceError, signal: AbortSignal): StatusError {
  if (err.code === Status.CANCELLED && signal.aborted) return cancelled(signal);
  const [encoded] = err.metadata.get(STATUS_DETAILS_KEY);
  const rest = Buffer.isBuffer(encoded) ? decodeStatusDetails(asBytes(encoded)) : {};
  return new StatusError(err.code, err.details, rest);
}

function cancelled(signal: AbortSignal): StatusError {
  return new StatusError(Status.CANCELLED, "call cancelled", { cause: signal.reason });
}

function isServiceError(err: unknown): err is ServiceError {
  return err instanceof Error && "code" in err && "details" in err && "metadata" in err;
}

function identity(buffer: Buffer): Buffer {
  return buffer;
}
