/** Why a workload has no identity: one call of assay.admin.v1 (D10). */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { decodeMemberId } from "../../../proto/convert/id.ts";
import { decodeSelectors, encodeSelector } from "../../../proto/convert/selector.ts";
import type {
  Admin,
  CandidateSchema,
  ExplainRequest,
  ExplanationSchema,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { ExplainQuerySchema, type Refusal } from "../../../proto/gen/assay/sync/v1/sync_pb.ts";
import { type Selector, selectorKey } from "../../../proto/selector.ts";
import {
  failedPrecondition,
  invalidArgument,
  notFound,
  unavailable,
} from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { TrustDomain } from "../../../spiffe/id/spiffe-id.ts";
import type { Authorization } from "../../entries/authorization.ts";
import { encodeEntryRecord, encodeIdText } from "../../entries/entry-message.ts";
import {
  type EntryCause,
  type EntryExplanation,
  explainEntries,
  type NearEntry,
} from "../../entries/explain.ts";
import type { Store } from "../../store/store.ts";
import type { AgentSession } from "../../sync/agent-session.ts";
import type { ConnectedAgents } from "../../sync/connected-agents.ts";
import type { Caller } from "../caller.ts";

/** What the call needs. */
export interface AdminExplainDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "read" | "revision">;
  readonly authorization: Authorization;
  readonly agents: ConnectedAgents;
  readonly clock: Clock;
}

type Explanation = MessageInitShape<typeof ExplanationSchema>;
type Candidate = MessageInitShape<typeof CandidateSchema>;

/** What is known of the workload that is asked about. */
interface Question {
  readonly agentId: string;
  readonly selectors: readonly Selector[];
  readonly refusal?: Refusal;
}

const ASK_TIMEOUT_MS = 5_000;
const MAX_AGENTS_ASKED = 200;
const MAX_EXPLANATIONS = 100;

export function adminExplain(
  deps: AdminExplainDeps,
): Pick<Handlers<typeof Admin, Caller>, "explain"> {
  return {
    explain: async (request, { signal }) => {
      const questions = await questionsOf(deps, request, signal);
      const newest = questions.slice(0, MAX_EXPLANATIONS);
      const explanations = await Promise.all(newest.map((question) => explain(deps, question)));
      return { explanations };
    },
  };
}

async function questionsOf(
  deps: AdminExplainDeps,
  { agentId: wireId, selectors, pid, recent }: ExplainRequest,
  signal: AbortSignal,
): Promise<readonly Question[]> {
  const { agents, trustDomain } = deps;
  const agentId =
    wireId === undefined ? undefined : decodeMemberId("agent_id", wireId, trustDomain).toString();
  if (selectors.length > 0) {
    if (agentId === undefined) throw invalidArgument("agent_id: is required with selectors");
    return [{ agentId, selectors: decodeSelectors("selectors", selectors) }];
  }
  if (!recent && pid <= 0) {
    throw invalidArgument("expected selectors, a pid, or recent", { reason: "field_invalid" });
  }
  if (agentId !== undefined) {
    const session = agents.get(agentId);
    if (session === undefined) throw await notConnected(deps, agentId);
    return await ask(deps, session, recent ? 0 : pid, signal);
  }
  if (!recent) throw invalidArgument("agent_id: is required with a pid");
  const asked = [...agents.all()].slice(0, MAX_AGENTS_ASKED);
  const answers = await Promise.all(
    asked.map((session) => ask(deps, session, 0, signal).catch(() => [])),
  );
  return answers.flat().sort((a, b) => timeOf(b) - timeOf(a));
}

async function notConnected({ store }: AdminExplainDeps, agentId: string) {
  const found = await store.read("getNode", { id: agentId });
  if (found === undefined) return notFound("agent not found", { reason: "agent_not_found" });
  const since =
    found.lastSeenAt === 0 ? "never seen" : new Date(found.lastSeenAt * 1000).toISOString();
  return failedPrecondition(
    `the agent is not connected to this server (last seen: ${since}); ask with selectors instead`,
    { reason: "agent_not_connected" },
  );
}

async function ask(
  deps: AdminExplainDeps,
  session: AgentSession,
  pid: number,
  signal: AbortSignal,
): Promise<readonly Question[]> {
  const answered = new AbortController();
  const late = AbortSignal.any([signal, answered.signal]);
  const asking = session.ask({ case: "explain", value: create(ExplainQuerySchema, { pid }) }, late);
  const timer = deps.clock
    .sleep(ASK_TIMEOUT_MS, late)
    .then(() => answered.abort(unavailable("the agent does not answer")));
  try {
    const { error, refusals } = await asking;
    if (error !== "") throw unavailable(`the agent cannot say: ${error}`);
    return refusals.map((refusal) => ({
      agentId: session.agentId,
      selectors: refusal.selectors.map(({ type, value }) => ({ type, value })),
      refusal,
    }));
  } finally {
    answered.abort();
    await timer;
  }
}

async function explain(deps: AdminExplainDeps, question: Question): Promise<Explanation> {
  const { agentId, selectors, refusal } = question;
  const [entries, node] = await Promise.all([
    explainEntries(deps, question),
    deps.store.read("getNode", { id: agentId }),
  ]);
  const { cause, summary } = judge(deps, question, entries, node?.node.banned ?? false);
  return {
    cause,
    summary,
    agentId,
    selectors: selectors.map(encodeSelector),
    candidates: entries.near.map(candidateOf),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

/** What stands in the way, the nearest to the workload first: nothing behind it could have helped. */
function judge(
  deps: AdminExplainDeps,
  { agentId, refusal }: Question,
  { cause, near: [nearest] }: EntryExplanation,
  isBanned: boolean,
): { readonly cause: string; readonly summary: string } {
  if (isBanned) {
    return { cause: "revoked", summary: "the agent is banned, so nothing is issued on its node" };
  }
  const about = aboutCall(refusal);
  if (about !== undefined) return about;
  if (cause === "granted") return judgeGranted(deps, agentId, refusal);
  // An agent that says "no entry" has seen to it that no entry hangs on what it could not find out.
  const isDecided = refusal?.reasonCode === "no_entry";
  const failed = isDecided ? [] : (refusal?.failedAttestors ?? []);
  if (failed.length > 0) {
    return {
      cause: "attestor_failed",
      summary: `the agent could not find out everything about the caller: ${failed.join(", ")} failed`,
    };
  }
  return { cause, summary: summaryOf(cause, nearest) };
}

/** What was wrong with the call, whatever entries there are. */
function aboutCall(
  refusal: Refusal | undefined,
): { readonly cause: string; readonly summary: string } | undefined {
  const cause = refusal?.reasonCode ?? "";
  switch (cause) {
    case "not_delegate":
      return { cause, summary: "none of the caller's identities is among the agent's delegates" };
    case "not_broker":
      return { cause, summary: "the caller did not prove an identity of the agent's brokers" };
    case "not_administrator":
      return { cause, summary: "the caller may use the agent's admin socket as a delegate only" };
    case "secret_not_granted":
      return {
        cause,
        summary: "the proxy asked by SDS for names that none of its identities stands for",
      };
    case "process_gone":
      return { cause, summary: "the process that was named was not there" };
    default:
      return undefined;
  }
}

function summaryOf(cause: Exclude<EntryCause, "granted">, nearest: NearEntry | undefined): string {
  const id = nearest?.spiffeId;
  switch (cause) {
    case "no_entry":
      return "no entry shares a selector with the caller";
    case "wrong_parent":
      return `${id} would match, but its entry belongs to another parent: ${nearest?.parentId}`;
    case "selector_missing":
      return `the caller lacks ${nearest?.missing.map(selectorKey).join(", ")} for ${id}`;
    case "entry_expired":
      return `the entry for ${id} has expired`;
  }
}

function judgeGranted(
  { agents, store }: AdminExplainDeps,
  agentId: string,
  refusal: Refusal | undefined,
): { readonly cause: string; readonly summary: string } {
  if (refusal?.reasonCode === "issuance_refused") {
    return {
      cause: "issuance_refused",
      summary: "an entry matches, but the server refused to issue; its audit log says why",
    };
  }
  const session = agents.get(agentId);
  if (session === undefined) {
    return {
      cause: "agent_behind",
      summary: "an entry matches, but the agent is not connected and may not know of it",
    };
  }
  if (session.progress.isBehind(store.revision, "applied")) {
    return {
      cause: "agent_behind",
      summary: "an entry matches, and the agent has yet to apply the change that brought it",
    };
  }
  return { cause: "granted", summary: "an entry matches: the caller gets an identity" };
}

function candidateOf(near: NearEntry): Candidate {
  const { entry, id, spiffeId, parentId, selectors, expiresAt, cause, missing } = near;
  const wire =
    entry === undefined
      ? {
          id,
          spiffeId: encodeIdText(spiffeId),
          parentId: encodeIdText(parentId),
          selectors: selectors.map(encodeSelector),
          expiresAt: BigInt(expiresAt),
        }
      : encodeEntryRecord(entry);
  return {
    entry: wire,
    cause,
    missing: missing.map(encodeSelector),
    detail: entry === undefined ? "the entry is gone: its time was up" : "",
  };
}

function timeOf({ refusal }: Question): number {
  return Number(refusal?.timeMs ?? 0n);
}
