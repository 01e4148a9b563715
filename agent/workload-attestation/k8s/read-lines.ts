/**
 * Cuts a stream of bytes into lines. What follows the last line break is dropped: it was not finished.
 *
 * @throws {Error} when a line is longer than `maxBytes`
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pieces.push(chunk.subarray(start, end));
      yield Buffer.concat(pieces).toString("utf8");
      pieces = [];
      size = 0;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    size += rest.length;
    if (size > maxBytes) throw new Error(`a line is over ${maxBytes} bytes`);
    pieces.push(rest);
  }
}
