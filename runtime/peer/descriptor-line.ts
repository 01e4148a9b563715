import type { Socket } from "node:net";
import type { Clock } from "../time/clock.ts";
import { fileDescriptor } from "./credentials.ts";
import type { Descriptor } from "./descriptor.ts";
import { type MessageCalls, openMessageCalls, type ReceivedPart } from "./message-calls.ts";

/** A line of text, and the descriptor that came with it. Whoever gets it closes the descriptor. */
export interface DescriptorLine {
  readonly text: string;
  readonly descriptor?: Descriptor;
}

/** How to receive a {@link DescriptorLine}. */
export interface ReceiveOptions {
  /** Longest line, its end included. */
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Between looks at a socket. The other side is on this machine and about to answer. */
const FIRST_LOOK_MS = 1;
const MAX_LOOK_MS = 16;

let opened: MessageCalls | undefined;

/** Opened when first needed: most processes pass no descriptors. */
function sharedCalls(): MessageCalls {
  opened ??= openMessageCalls();
  return opened;
}

/** What a peer sent is no line with at most one descriptor. */
export class DescriptorLineError extends Error {
  override readonly name = "DescriptorLineError";
}

/**
 * Sends a line over a connected Unix socket on which nothing else waits to be written, with a descriptor if one is given. The
 * other side gets a descriptor of its own; ours stays ours.
 *
 * @throws {Error} if the connection is gone, or takes nothing
 */
export function sendDescriptorLine(
  socket: Socket,
  text: string,
  descriptor?: number,
  calls: MessageCalls = sharedCalls(),
): void {
  const bytes = Buffer.from(`${text}\n`);
  const sent = calls.send(fileDescriptor(socket), bytes, descriptor);
  if (sent === 0) throw new Error("connection takes no message");
  if (sent < bytes.length) socket.write(bytes.subarray(sent));
}

/**
 * Receives one line with the descriptor that was sent with it, over a Unix socket that was paused before any of it was read
 * (ordinary reading would let the kernel close the descriptor). The socket stays paused; read on by resuming it. It is looked at
 * again and again for the short time that the answer takes, because nobody but node itself can wait for a socket of node's.
 *
 * @throws {DescriptorLineError} for anything but one line with at most one descriptor, and at the end of the connection
 * @throws {Error} when nothing came in time, or `signal` aborted
 */
export async function receiveDescriptorLine(
  socket: Socket,
  options: ReceiveOptions,
  calls: MessageCalls = sharedCalls(),
): Promise<DescriptorLine> {
  const { maxBytes, timeoutMs, clock, signal } = options;
  const line = new PartialLine(maxBytes);
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let lookMs = FIRST_LOOK_MS;
  try {
    while (!line.isComplete) {
      const part = calls.receive(fileDescriptor(socket), maxBytes);
      if (part !== undefined) {
        line.add(part);
        continue;
      }
      if (clock.monotonicMs() >= deadlineMs) throw new Error("no message came in time");
      await clock.sleep(lookMs, signal);
      signal.throwIfAborted();
      lookMs = Math.min(lookMs * 2, MAX_LOOK_MS);
    }
    return line.finish();
  } catch (err) {
    line[Symbol.dispose]();
    throw err;
  }
}

/** A line as it arrives, and owner of its descriptor until it is complete. */
class PartialLine implements Disposable {
  readonly #maxBytes: number;
  #bytes = Buffer.alloc(0);
  #descriptor: Descriptor | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isComplete(): boolean {
    return this.#bytes.includes("\n");
  }

  add({ bytes, descriptor, tooMany }: ReceivedPart): void {
    const isSecond = descriptor !== undefined && this.#descriptor !== undefined;
    if (isSecond) descriptor[Symbol.dispose]();
    else this.#descriptor = descriptor ?? this.#descriptor;
    if (isSecond || tooMany) throw new DescriptorLineError("more than one descriptor");
    if (bytes.length === 0) throw new DescriptorLineError("connection ended within a line");
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (this.#bytes.length > this.#maxBytes) throw new DescriptorLineError("line is too long");
  }

  finish(): DescriptorLine {
    const end = this.#bytes.indexOf("\n");
    if (end !== this.#bytes.length - 1) throw new DescriptorLineError("more than one line");
    const text = this.#bytes.toString("utf8", 0, end);
    const descriptor = this.#descriptor;
    return descriptor === undefined ? { text } : { text, descriptor };
  }

  [Symbol.dispose](): void {
    this.#descriptor?.[Symbol.dispose]();
  }
}
