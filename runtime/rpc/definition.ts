import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";

/** A method as grpc-js sees it here: bytes in, bytes out. Messages are coded by us, so that errors in them are ours to word. */
export type RawMethod = MethodDefinition<Buffer, Buffer>;

/** How the messages of one method become bytes. Both functions throw on what cannot be coded. */
export interface MessageCodec<T, Init = T> {
  decode(bytes: Uint8Array): T;
  encode(message: Init): Uint8Array;
}

/** The path of a method on the wire: "/package.Service/Method". */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The definition of a method for grpc-js. */
export function rawMethod(method: DescMethod): RawMethod {
  const { methodKind } = method;
  return {
    path: methodPath(method),
    originalName: method.localName,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: identity,
    requestDeserialize: methodKind === "server_streaming" ? onItsOwn : identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}

/** The ordinary protobuf codec of a message type. Unknown fields are dropped: nobody here reads them, and they cost memory. */
export function protobufCodec<D extends DescMethod["input"]>(
  desc: D,
): MessageCodec<MessageShape<D>, MessageInitShape<D>> {
  return {
    decode: (bytes) => fromBinary(desc, bytes, { readUnknownFields: false }),
    encode: (message) => toBinary(desc, create(desc, message)),
  };
}

/** The same memory as a Buffer, which is what grpc-js sends. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The same memory as a plain Uint8Array, so that `bytes` fields of a decoded message are not Buffers. */
export function asBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/**
 * grpc-js keeps the request of a call until the call ends, and what it received is a piece of Node's pool: a stream that stays open would
 * hold 64 KiB for the sake of a few bytes.
 */
function onItsOwn(buffer: Buffer): Buffer {
  return asBuffer(new Uint8Array(buffer));
}

function identity(buffer: Buffer): Buffer {
  return buffer;
}
