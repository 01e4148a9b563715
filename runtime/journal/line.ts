import { hash } from "node:crypto";

/** What stands for the hash of the line before the first. */
export const GENESIS_HASH: string = "0".repeat(64);

/** A place in a chain of lines. */
export interface JournalPosition {
  /** From 1, without gaps; 0 before the first line. */
  readonly seq: number;
  /** SHA-256, lower-case hexadecimal, of the line's bytes without the line end; {@link GENESIS_HASH} before the first line. */
  readonly hash: string;
}

/** A line of a journal, with its place. */
export interface JournalLine extends JournalPosition {
  /** The hash that the line says the line before it has. */
  readonly prev: string;
  /** The line without its end: JSON. */
  readonly bytes: Uint8Array;
}

/** Where a chain begins. */
export const GENESIS: JournalPosition = { seq: 0, hash: GENESIS_HASH };

/**
 * The line that follows a position, without its end.
 *
 * @param body a JSON object with at least one field, and without the fields "seq" and "prev"
 */
export function renderLine(
  previous: JournalPosition,
  body: string,
): JournalPosition & { readonly text: string } {
  const seq = previous.seq + 1;
  const text = `{"seq":${seq},"prev":"${previous.hash}",${body.slice(1)}`;
  return { seq, hash: hash("sha256", text, "hex"), text };
}

const PREFIX = /^\{"seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})",/;
const MAX_PREFIX_BYTES = 120;

/** Reads where a line says it belongs; undefined if it is no line of a journal. */
export function parseLine(bytes: Uint8Array): JournalLine | undefined {
  const start = Buffer.from(bytes.subarray(0, MAX_PREFIX_BYTES)).toString("latin1");
  const [, seq, prev] = PREFIX.exec(start) ?? [];
  if (seq === undefined || prev === undefined || bytes.at(-1) !== CLOSING_BRACE) return undefined;
  return { seq: Number(seq), prev, bytes, hash: hash("sha256", bytes, "hex") };
}

const CLOSING_BRACE = 0x7d;

/** Whether a line is the one that follows a position. */
export function follows(line: JournalLine, previous: JournalPosition): boolean {
  return line.seq === previous.seq + 1 && line.prev === previous.hash;
}

/** The fields of a line; undefined if it is not an object in JSON. */
export function readFields(line: JournalLine): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line.bytes));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
