import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { WordsSchema } from "./gen/echo_pb.ts";

/** An HTTP/2 client of the Echo service without manners: it can stop half-way, not read, and reset. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  readonly session: ClientHttp2Session;
  /** Error code of the GOAWAY that the server sent, if it did. */
  goawayCode: number | undefined;

  private constructor(socket: Socket, session: ClientHttp2Session) {
    this.socket = socket;
    this.session = session;
    session.on("error", () => {});
    session.on("goaway", (code) => {
      this.goawayCode = code;
    });
  }

  static async open(path: string): Promise<RawClient> {
    const socket = connectSocket(path);
    const session = connectHttp2("http://localhost", { createConnection: () => socket });
    await once(session, "remoteSettings");
    return new RawClient(socket, session);
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    if (!this.session.destroyed) await once(this.session, "close");
  }

  /** Opens a call and sends its headers. Nothing is read until somebody does. */
  start(method: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ":method": "POST",
      ":path": `/assay.test.echo.Echo/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => {});
    return stream;
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}

/** A message as gRPC frames it: one byte of flags, four of length. */
export function frame(text: string): Buffer {
  const body = toBinary(WordsSchema, create(WordsSchema, { text }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** The status that a call ended with, from its trailer or, if there was no message, from its header. */
export async function statusOf(
  stream: ClientHttp2Stream,
): Promise<{ code: number; message: string }> {
  let found: OutgoingHttpHeaders = {};
  stream.on("response", (headers) => {
    if (headers["grpc-status"] !== undefined) found = headers;
  });
  stream.on("trailers", (headers) => {
    found = headers;
  });
  stream.resume();
  await once(stream, "close");
  return { code: Number(found["grpc-status"]), message: String(found["grpc-message"]) };
}
