/** How far a change has come: one call of assay.admin.v1. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AbsentSchema,
  Admin,
  RolloutSchema,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { Store } from "../../store/store.ts";
import type { CommitTimes } from "../../sync/commit-times.ts";
import type { ConnectedAgents } from "../../sync/connected-agents.ts";
import type { Caller } from "../caller.ts";

/** What the call needs. */
export interface AdminRolloutDeps {
  readonly store: Pick<Store, "read" | "revision">;
  readonly agents: ConnectedAgents;
  readonly times: CommitTimes;
  readonly clock: Clock;
}

type Rollout = MessageInitShape<typeof RolloutSchema>;
type Absent = MessageInitShape<typeof AbsentSchema>;

/** Progress is told no more often than this: with thousands of agents, each acknowledgement is news. */
const MIN_INTERVAL_MS = 100;
const PAGE_SIZE = 1_000;
/** Agents that are named; the rest of a large outage is no news to anybody. */
const MAX_NAMED = 1_000;

export function adminRollout(
  deps: AdminRolloutDeps,
): Pick<Handlers<typeof Admin, Caller>, "watchRollout"> {
  const { agents, clock, store, times } = deps;
  return {
    async *watchRollout({ revision: asked, delivered }, { signal }) {
      const revision = asked === 0n ? store.revision : asked;
      if (revision > store.revision) {
        throw invalidArgument("revision: has not been reached yet", { reason: "field_invalid" });
      }
      const sinceMs = times.of(revision) ?? clock.monotonicMs();
      const absent = await absentAgents(deps);
      for await (const _ of agents.changes.subscribe(signal)) {
        const { reached, late } = agents.rollout(revision, delivered ? "delivered" : "applied");
        const complete = late.length === 0;
        const rollout: Rollout = {
          revision,
          applied: reached,
          late: late.slice(0, MAX_NAMED).sort(),
          absent,
          elapsedMs: BigInt(Math.round(clock.monotonicMs() - sinceMs)),
          complete,
        };
        yield rollout;
        if (complete) return;
        await clock.sleep(MIN_INTERVAL_MS, signal);
      }
    },
  };
}

/** Agents that are attested and neither banned nor expired, and have no stream open. */
async function absentAgents({ store, agents, clock }: AdminRolloutDeps): Promise<Absent[]> {
  const now = Math.floor(clock.now().getTime() / 1000);
  const absent: Absent[] = [];
  let pageToken: string | undefined;
  do {
    const page = { pageSize: PAGE_SIZE, ...(pageToken === undefined ? {} : { pageToken }) };
    const found = await store.read("listNodes", { filter: { byBanned: false }, page });
    for (const { node, lastSeenAt } of found.items) {
      if (node.expiresAt <= now || agents.get(node.id) !== undefined) continue;
      absent.push({ agentId: node.id, lastSeenMs: BigInt(lastSeenAt) * 1000n });
      if (absent.length === MAX_NAMED) return absent;
    }
    pageToken = found.nextPageToken;
  } while (pageToken !== undefined);
  return absent;
}
