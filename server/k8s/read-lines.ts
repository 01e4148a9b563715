import { KubeError } from "./kube-error.ts";

const NEWLINE = 10;

/**
 * The lines of a stream of bytes, each as soon as it is complete, without its end. A last line without an end is left out:
 * it was cut off.
 *
 * @throws {KubeError} too_large for a line longer than `maxBytes`
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncIterable<string> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const part = chunk.subarray(start, end < 0 ? undefined : end);
      size += part.length;
      if (size > maxBytes) {
        throw new KubeError("too_large", `a line of the answer exceeds ${maxBytes} bytes`);
      }
      parts.push(part);
      if (end < 0) break;
      yield Buffer.concat(parts, size).toString("utf8");
      parts = [];
      size = 0;
      start = end + 1;
    }
  }
}
