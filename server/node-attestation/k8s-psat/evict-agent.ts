import type { AuditDraft } from "../../../proto/audit/v1/record.ts";
import { Status, StatusError } from "../../../runtime/errors/status-error.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { AuditLog } from "../../audit/audit-log.ts";
import type { Store } from "../../store/store.ts";
import type { NodeAgent } from "./node-agents.ts";

const PAGE_SIZE = 500;

/** What evicting needs. */
export interface EvictAgentDeps {
  readonly store: Pick<Store, "read" | "write">;
  readonly audit: Pick<AuditLog, "intent" | "outcome">;
  readonly log: Logger;
}

/**
 * Evicts the agent of a node that is gone, with the entries that hang on it. The entries go first: whatever comes in between, the
 * agent is still on record and is found again.
 */
export async function evictAgent(
  deps: EvictAgentDeps,
  cluster: string,
  { id, nodeName, nodeUid }: NodeAgent,
): Promise<void> {
  const { store, log } = deps;
  const details = { cluster, nodeName, nodeUid, why: "node deleted" };
  let count = 0;
  for (;;) {
    const { items } = await store.read("listEntries", {
      filter: { byParentId: id },
      page: { pageSize: PAGE_SIZE },
    });
    if (items.length === 0) break;
    const ids = items.map(({ entry }) => entry.id);
    const batch = ids.map((resource) => ({ resource }));
    await recorded(deps, { action: "entry.delete", batch, details }, () =>
      store.write("deleteEntries", { ids }),
    );
    count += ids.length;
  }
  try {
    await recorded(deps, { action: "agent.evict", resource: id, details }, () =>
      store.write("deleteNode", { id }),
    );
  } catch (err) {
    // Somebody else was quicker.
    if (err instanceof StatusError && err.code === Status.NOT_FOUND) return;
    throw err;
  }
  log.info({ agent_id: id, cluster, count }, "Evicted the agent of a deleted node");
}

async function recorded(
  { audit }: EvictAgentDeps,
  draft: AuditDraft,
  act: () => Promise<unknown>,
): Promise<void> {
  const ref = await audit.intent({ ...draft, source: "internal" });
  try {
    await act();
  } catch (err) {
    audit.outcome(ref, { decision: "failed" });
    throw err;
  }
  audit.outcome(ref, { decision: "allow" });
}
