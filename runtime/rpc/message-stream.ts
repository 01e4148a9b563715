import { untilAborted } from "../until-aborted.ts";

/** The writing half of a grpc-js stream, on either side. */
export interface FrameWriter {
  write(bytes: Buffer, callback: (err?: Error | null) => void): unknown;
}

/**
 * Takes messages one by one, the next only when `use` is done with the one before, so that whoever reads a feed gets nothing
 * but its newest value when `use` is slow. Ends the iterator when `signal` aborts.
 *
 * @throws what `use` or the iterator throws, and the reason of `signal`
 */
export async function forEachUntilAborted<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  use: (message: T) => Promise<void>,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  let exhausted = false;
  try {
    for (;;) {
      const result = await untilAborted(iterator.next(), signal);
      if (result.done === true) {
        exhausted = true;
        return;
      }
      await use(result.value);
    }
  } finally {
    // Not waited for: a generator that is busy returns only when it next yields. It has been told by the signal.
    if (!exhausted) iterator.return?.().catch(() => {});
  }
}

/**
 * Resolves when the transport has taken the frame, which it does not while the reader's flow control window is closed. Never
 * settles if the call ends before: combine it with a signal.
 */
export function writeFrame(writer: FrameWriter, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    writer.write(bytes, (err) => {
      if (err) reject(err);
      else resolve();
    });
  });
}
