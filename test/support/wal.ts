import { readFile } from "node:fs/promises";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Where the header tells the size of a page, and the salts that mark the frames of the log's present round. */
const PAGE_SIZE_AT = 8;
const SALTS_AT = 16;

/** What a SQLite database has written since its log began. */
export interface WalContent {
  /** Transactions; with `synchronous = FULL` each is one fsync. */
  readonly commits: number;
  /** Pages, the same one counted each time that it was written. */
  readonly pages: number;
}

/** Reads the write-ahead log of a SQLite database: its header, then for each page a header that names the database's size after a commit. */
export async function readWal(path: string): Promise<WalContent> {
  const wal = await readFile(path);
  const frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(PAGE_SIZE_AT);
  const salts = wal.subarray(SALTS_AT, SALTS_AT + 8);
  let commits = 0;
  let pages = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    // What is left of an earlier round has other salts.
    if (!wal.subarray(at + 8, at + 16).equals(salts)) break;
    pages += 1;
    if (wal.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return { commits, pages };
}
