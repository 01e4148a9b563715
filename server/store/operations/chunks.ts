/**
 * Cuts a list into pieces of few different lengths. The text of a multi-row statement depends on the number of rows, so few
 * lengths mean few statements to compile, and a bounded number of them in the cache.
 */
export function* inChunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  let start = 0;
  for (const length of CHUNK_LENGTHS) {
    while (items.length - start >= length) {
      yield items.slice(start, start + length);
      start += length;
    }
  }
}

/** The widest table has 25 columns, and SQLite takes 32,766 parameters. */
const CHUNK_LENGTHS = [128, 16, 4, 1];
