import { follows, GENESIS, type JournalLine, type JournalPosition, parseLine } from "./line.ts";
import { readLines } from "./read.ts";
import { listSegments, type Segment } from "./segment.ts";

/** Something about a journal that should not be. */
export interface JournalFinding {
  readonly kind:
    | "not_a_line"
    | "torn_line"
    | "chain_broken"
    | "lines_missing"
    | "head_contradicted"
    | "statement_invalid";
  /** Where: the sequence number of the line concerned, or of the first that is missing. */
  readonly seq: number;
  readonly message: string;
}

/** What a look at a whole journal found. */
export interface JournalVerification {
  readonly findings: readonly JournalFinding[];
  /** The position that the first line says it follows: {@link GENESIS}, unless segments were removed. */
  readonly start: JournalPosition;
  readonly end: JournalPosition;
  readonly lines: number;
}

/** Most findings that are told; a journal with more of them is spoilt beyond telling. */
const MAX_FINDINGS = 100;

/** What a journal is compared with. */
export interface VerifyOptions {
  /** Heads that others have kept: each must be in the journal, or lines were taken away or rewritten. */
  readonly heads?: readonly JournalPosition[];
  /** Is shown each line in order; a finding that it returns is added. */
  readonly visit?: (line: JournalLine) => JournalFinding | undefined;
}

/**
 * Reads a journal from its first line to its last and checks that each continues the chain. Lines that the writer adds meanwhile
 * may or may not be seen. That nothing is missing at the end only the given heads can tell.
 */
export async function verifyJournal(
  directory: string,
  options: VerifyOptions = {},
): Promise<JournalVerification> {
  const heads = new Map(options.heads?.map(({ seq, hash }) => [seq, hash]));
  const findings: JournalFinding[] = [];
  const note = (finding: JournalFinding | undefined): void => {
    if (finding !== undefined && findings.length < MAX_FINDINGS) findings.push(finding);
  };
  const segments = await listSegments(directory);
  let start: JournalPosition | undefined;
  let previous: JournalPosition = GENESIS;
  let lines = 0;
  for (const [index, segment] of segments.entries()) {
    const isNewest = index === segments.length - 1;
    for await (const { bytes, complete } of readLines(segment)) {
      // The writer may be in the middle of the newest segment's last line.
      if (!complete && isNewest) break;
      const line = complete ? parseLine(bytes) : undefined;
      if (line === undefined) {
        note(spoilt(complete, previous.seq + 1));
        continue;
      }
      start ??= { seq: line.seq - 1, hash: line.prev };
      if (lines > 0 && !follows(line, previous)) note(broken(line, previous));
      note(compare(line, heads.get(line.seq)));
      note(options.visit?.(line));
      previous = { seq: line.seq, hash: line.hash };
      lines += 1;
    }
  }
  note(missingTail(previous.seq, [...heads.keys()]));
  return { findings, start: start ?? GENESIS, end: previous, lines };
}

/** Shows each line from `fromSeq` on, oldest first, without checking the chain. Skips what is no line. */
export async function* readJournal(directory: string, fromSeq = 1): AsyncGenerator<JournalLine> {
  for (const segment of segmentsFrom(await listSegments(directory), fromSeq)) {
    for await (const { bytes, complete } of readLines(segment)) {
      const line = complete ? parseLine(bytes) : undefined;
      if (line !== undefined && line.seq >= fromSeq) yield line;
    }
  }
}

function segmentsFrom(segments: readonly Segment[], seq: number): readonly Segment[] {
  const first = segments.findLastIndex(({ firstSeq }) => firstSeq <= seq);
  return segments.slice(Math.max(0, first));
}

function compare(line: JournalLine, witnessed: string | undefined): JournalFinding | undefined {
  if (witnessed === undefined || witnessed === line.hash) return undefined;
  const message = `line ${line.seq} is not the one that was witnessed`;
  return { kind: "head_contradicted", seq: line.seq, message };
}

function missingTail(end: number, witnessed: readonly number[]): JournalFinding | undefined {
  const newest = Math.max(0, ...witnessed);
  if (newest <= end) return undefined;
  const message = `lines ${end + 1} to ${newest} were witnessed and are missing at the end`;
  return { kind: "lines_missing", seq: end + 1, message };
}

function spoilt(complete: boolean, seq: number): JournalFinding {
  return complete
    ? { kind: "not_a_line", seq, message: `what should be line ${seq} is no line of this journal` }
    : { kind: "torn_line", seq, message: `line ${seq} is cut off in the middle` };
}

function broken(line: JournalLine, previous: JournalPosition): JournalFinding {
  const { seq } = line;
  if (seq > previous.seq + 1) {
    const message = `lines ${previous.seq + 1} to ${seq - 1} are missing`;
    return { kind: "lines_missing", seq: previous.seq + 1, message };
  }
  const message =
    seq === previous.seq + 1
      ? `line ${previous.seq} is not the one that line ${seq} was written after`
      : `line ${seq} stands after line ${previous.seq}`;
  return { kind: "chain_broken", seq, message };
}
