import type { Socket } from "node:net";

/**
 * The lines that come over a connection, without their ends, until it ends or breaks. The socket is destroyed when the reader
 * leaves.
 *
 * @param maxBytes longest line
 * @throws {Error} for a longer one
 */
export async function* readLines(socket: Socket, maxBytes: number): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunksOf(socket)) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield rest.toString("utf8", 0, end);
      rest = rest.subarray(end + 1);
    }
    if (rest.length > maxBytes) throw new Error("line is too long");
  }
}

/** What comes until the connection is over; that it breaks is one way to end. */
async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of socket) yield Buffer.from(chunk);
  } catch (err) {
    if (!socket.destroyed) throw err;
  }
}
