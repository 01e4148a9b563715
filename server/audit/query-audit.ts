import { type AuditRecord, expandRecord } from "../../proto/audit/v1/record.ts";
import { type JournalLine, parseLine } from "../../runtime/journal/line.ts";
import { readLines } from "../../runtime/journal/read.ts";
import { listSegments } from "../../runtime/journal/segment.ts";
import { readJournal } from "../../runtime/journal/verify.ts";
import { readAuditRecord } from "./audit-line.ts";

/** Which records to find; what is absent does not restrict. */
export interface AuditFilter {
  readonly fromSeq?: number;
  readonly since?: Date;
  /** Serial number (hexadecimal, any case, colons and leading zeros allowed) or jti. */
  readonly credential?: string;
  /** The subject's ID or an actor's. */
  readonly subjectId?: string;
  /** The whole action, or its beginning up to a dot. */
  readonly action?: string;
  readonly limit?: number;
}

/** A record with the line it stands on. */
export interface FoundRecord {
  readonly line: JournalLine;
  readonly record: AuditRecord;
}

/** Finds records, oldest first. With a credential also the outcome of each intent that names it. */
export async function* queryAudit(
  directory: string,
  filter: AuditFilter,
): AsyncGenerator<FoundRecord> {
  const limit = filter.limit ?? Number.POSITIVE_INFINITY;
  const intents = new Set<number>();
  let found = 0;
  for await (const line of readJournal(directory, filter.fromSeq)) {
    if (found >= limit) return;
    const record = readAuditRecord(line);
    if (record === undefined) continue;
    const ends = record.intent !== null && intents.has(record.intent);
    if (!ends && !matches(record, filter)) continue;
    if (filter.credential !== undefined && record.phase === "intent") intents.add(record.seq);
    found += 1;
    yield { line, record };
  }
}

/** Finds the newest records, at most `limit`, oldest first. Reads back from the end, and no further than it must. */
export async function queryNewest(
  directory: string,
  filter: Omit<AuditFilter, "credential" | "limit"> & { readonly limit: number },
): Promise<readonly FoundRecord[]> {
  let found: readonly FoundRecord[] = [];
  for (const segment of (await listSegments(directory)).toReversed()) {
    const here: FoundRecord[] = [];
    for await (const { bytes, complete } of readLines(segment)) {
      const line = complete ? parseLine(bytes) : undefined;
      const record = line === undefined ? undefined : readAuditRecord(line);
      if (line === undefined || record === undefined) continue;
      const isLater = filter.fromSeq === undefined || line.seq >= filter.fromSeq;
      if (isLater && matches(record, filter)) here.push({ line, record });
      // Not one by one, which would move all the others each time.
      if (here.length >= 2 * filter.limit) here.splice(0, here.length - filter.limit);
    }
    found = [...here, ...found].slice(-filter.limit);
    const isPast = filter.fromSeq !== undefined && segment.firstSeq <= filter.fromSeq;
    if (found.length === filter.limit || isPast) break;
  }
  return found;
}

/** Who got a credential, and whether it was signed. */
export interface CredentialHistory {
  /** What was about to be signed, with the fields of the one credential. */
  readonly intent: AuditRecord;
  /** Undefined while it is under way. */
  readonly outcome?: AuditRecord;
}

/** Finds whose a serial number or a jti is. */
export async function whoHas(
  directory: string,
  credential: string,
): Promise<CredentialHistory | undefined> {
  const name = normalize(credential);
  let intent: AuditRecord | undefined;
  let item = 0;
  for await (const { record } of queryAudit(directory, { credential })) {
    if (intent !== undefined && record.intent === intent.seq) {
      // The items of an outcome stand in the order of its intent.
      return { intent, outcome: expandRecord(record)[item] ?? { ...record, batch: null } };
    }
    const items = expandRecord(record);
    const index = items.findIndex((one) => names(one, name));
    if (index < 0) continue;
    intent = items[index];
    item = record.batch === null ? 0 : index;
  }
  return intent === undefined ? undefined : { intent };
}

function matches(record: AuditRecord, filter: AuditFilter): boolean {
  const { since, credential, subjectId, action } = filter;
  if (since !== undefined && Date.parse(record.time) < since.getTime()) return false;
  if (action !== undefined && record.action !== action && !record.action.startsWith(`${action}.`)) {
    return false;
  }
  if (credential === undefined && subjectId === undefined) return true;
  const name = credential === undefined ? undefined : normalize(credential);
  return expandRecord(record).some(
    (item) =>
      (name === undefined || names(item, name)) &&
      (subjectId === undefined || concerns(item, subjectId)),
  );
}

function names({ credential }: AuditRecord, name: string): boolean {
  if (credential === null) return false;
  const { serial, jti } = credential;
  return (serial !== null && normalize(serial) === name) || jti === name;
}

function concerns({ subject, actors }: AuditRecord, id: string): boolean {
  return subject?.id === id || actors.some((actor) => actor.id === id);
}

/** Serial numbers are written in many ways; a jti is not hexadecimal with colons, so it stays as it is. */
function normalize(credential: string): string {
  return /^[0-9A-Fa-f:]+$/.test(credential)
    ? credential
        .replaceAll(":", "")
        .toLowerCase()
        .replace(/^0+(?=.)/, "")
    : credential;
}
