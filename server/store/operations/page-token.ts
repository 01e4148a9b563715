import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { Page } from "../contract/operation.ts";

/** The most that one page holds, whatever was asked for. */
export const MAX_PAGE_SIZE = 10_000;

/** The page size to use for a request. */
export function pageSizeOf(requested: number): number {
  return Math.min(Math.max(1, Math.trunc(requested)), MAX_PAGE_SIZE);
}

/**
 * Where a list goes on: the values of the columns that order it, taken from the last row that was returned. So a page costs
 * the same wherever it lies, and rows that come or go meanwhile shift nothing.
 */
export type Position = readonly (number | string)[];

/** Writes a position as a token for the caller. */
export function formatPageToken(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/**
 * Reads a token of {@link formatPageToken} for a list that is ordered by columns of the types of `example`.
 *
 * @throws {StatusError} INVALID_ARGUMENT for anything else
 */
export function parsePageToken<P extends Position>(token: string, example: P): P {
  const position = token.length <= MAX_TOKEN_LENGTH ? tryParse(token) : undefined;
  if (
    !Array.isArray(position) ||
    position.length !== example.length ||
    !position.every((value, index) => isLike(value, example[index]))
  ) {
    throw invalidArgument("page_token: not a token of this list");
  }
  return position as unknown as P;
}

const MAX_TOKEN_LENGTH = 1024;

function isLike(value: unknown, example: number | string | undefined): boolean {
  return typeof example === "number" ? Number.isSafeInteger(value) : typeof value === "string";
}

function tryParse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    return undefined;
  }
}

/** Makes a page of rows of which one more was read than the page holds. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  pageSize: number,
  toItem: (row: Row) => Item,
  positionOf: (row: Row) => Position,
): Page<Item> {
  const items = rows.slice(0, pageSize).map(toItem);
  const last = rows.length > pageSize ? rows[pageSize - 1] : undefined;
  return last === undefined
    ? { items }
    : { items, nextPageToken: formatPageToken(positionOf(last)) };
}
