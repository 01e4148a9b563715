import assert from "node:assert/strict";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { eventually } from "../support/eventually.ts";
import type { Machine } from "../support/machine.ts";
import type { AcknowledgedLoad } from "./acknowledged-load.ts";

/**
 * Compares what a server has with what it acknowledged, before it died or now. Nothing else may call it meanwhile.
 *
 * @throws {AssertionError} naming what is missing
 */
export async function assertNothingLost(machine: Machine, load: AcknowledgedLoad): Promise<void> {
  const present = await listEntryIds(machine);
  const missing = [...load.created].filter((id) => !present.has(id));
  assert.deepEqual(missing, [], "acknowledged entries are missing");
  const returned = [...load.deleted].filter((id) => present.has(id));
  assert.deepEqual(returned, [], "entries came back whose deletion was acknowledged");

  // An outcome rides in the group after its intent, so the last ones may be on their way.
  const records = await eventually("the outcome of every intent", async () => {
    const all = await readAudit(machine);
    return openIntents(all).length === 0 ? all : undefined;
  });
  const recorded = new Set(records.flatMap(serialsOf));
  const unknown = [...load.serials].filter((serial) => !recorded.has(serial));
  assert.deepEqual(unknown, [], "certificates were handed out that the audit does not know");
  const audit = await machine.local.server.client(Admin).verifyAudit({}, machine.call);
  assert.deepEqual(
    { intact: audit.intact, findings: audit.findings },
    { intact: true, findings: [] },
  );
}

async function listEntryIds(machine: Machine): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  let pageToken = "";
  do {
    const page = await machine.local.server
      .client(Entry)
      .listEntries({ outputMask: {}, pageSize: 1000, pageToken }, machine.call);
    for (const { id } of page.entries) ids.add(id);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return ids;
}

/** What these tests look at in a record. */
interface AuditLine extends AuditItem {
  readonly seq: number;
  readonly phase: "intent" | "outcome" | "event";
  readonly intent: number | null;
  readonly batch: readonly AuditItem[] | null;
}

interface AuditItem {
  readonly credential?: { readonly serial: string | null } | null;
}

/** All records, page by page. */
async function readAudit(machine: Machine): Promise<readonly AuditLine[]> {
  const call = { signal: machine.signal, timeoutMs: 60_000 };
  const admin = machine.local.server.client(Admin);
  const lines: AuditLine[] = [];
  for (;;) {
    const fromSeq = BigInt((lines.at(-1)?.seq ?? 0) + 1);
    const page = await Array.fromAsync(
      admin.listAudit({ fromSeq }, call),
      ({ line }): AuditLine => JSON.parse(new TextDecoder().decode(line)),
    );
    if (page.length === 0) return lines;
    lines.push(...page);
  }
}

function openIntents(records: readonly AuditLine[]): readonly number[] {
  const ended = new Set(records.map(({ intent }) => intent));
  return records
    .filter(({ phase, seq }) => phase === "intent" && !ended.has(seq))
    .map(({ seq }) => seq);
}

/** Serial numbers that the record says were, or may have been, signed. */
function serialsOf(record: AuditLine): readonly string[] {
  return [record, ...(record.batch ?? [])].flatMap(({ credential }) =>
    credential?.serial ? [credential.serial] : [],
  );
}
