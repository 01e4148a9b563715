import { type Selector, selectorKey, selectorKeys } from "../../proto/selector.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ExpiredEntry } from "../store/contract/entries.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Authorization } from "./authorization.ts";

/** Why a workload with certain selectors gets no identity from the entries (D10), or "granted" when it does. */
export type EntryCause =
  | "granted"
  | "no_entry"
  | "wrong_parent"
  | "selector_missing"
  | "entry_expired";

/** An entry that came near, and what kept it from matching. */
export interface NearEntry {
  readonly id: string;
  readonly spiffeId: string;
  readonly parentId: string;
  readonly selectors: readonly Selector[];
  readonly expiresAt: number;
  /** The whole entry, as long as it exists. */
  readonly entry?: AuthorizedEntryRecord;
  readonly cause: EntryCause;
  /** Selectors of the entry that the workload does not have. */
  readonly missing: readonly Selector[];
}

export interface EntryExplanation {
  /** The cause of the nearest entry. */
  readonly cause: EntryCause;
  /** Nearest first: the fewest things wrong, and among equals those that are the agent's own. */
  readonly near: readonly NearEntry[];
}

export interface ExplainDeps {
  readonly store: Pick<Store, "read">;
  readonly authorization: Authorization;
  readonly clock: Clock;
}

export interface ExplainQuestion {
  readonly agentId: string;
  /** What the agent's attestors found of the workload. */
  readonly selectors: readonly Selector[];
}

const MAX_NEAR = 5;
/** How many entries the store looks up, and how many of the newest expired ones are looked at. */
const MAX_STORED = 50;
const MAX_EXPIRED = 1000;

/**
 * Says which entries grant a workload its identities, or which came nearest and what was wrong with each. Looks at the agent's own
 * entries, at entries anywhere that share selectors with the workload, and at entries that expired lately; never at all entries.
 */
export async function explainEntries(
  { store, authorization, clock }: ExplainDeps,
  { agentId, selectors }: ExplainQuestion,
): Promise<EntryExplanation> {
  const has = selectorKeys(selectors);
  const now = Math.floor(clock.now().getTime() / 1000);
  const own = authorization.forAgent(agentId).map((entry) => judge(entry, has, now, true));
  const granted = own.filter(({ cause }) => cause === "granted");
  if (granted.length > 0) return { cause: "granted", near: granted };
  const near = own.filter(({ selectors: wanted, missing }) => missing.length < wanted.length);
  const [elsewhere, expired] = await Promise.all([
    store.read("entriesNearSelectors", { selectors, limit: MAX_STORED }),
    store.read("recentlyExpiredEntries", { limit: MAX_EXPIRED }),
  ]);
  for (const entry of elsewhere) {
    if (authorization.reaches(agentId, entry.parentId)) continue;
    near.push(judge(entry, has, now, false));
  }
  for (const entry of expired) {
    if (!authorization.reaches(agentId, entry.parentId)) continue;
    if (missingOf(entry, has).length === 0) near.push(asExpired(entry));
  }
  near.sort((a, b) => wrongness(a) - wrongness(b));
  return { cause: near[0]?.cause ?? "no_entry", near: near.slice(0, MAX_NEAR) };
}

function judge(
  entry: AuthorizedEntryRecord,
  has: ReadonlySet<string>,
  now: number,
  isOwn: boolean,
): NearEntry {
  const { id, spiffeId, parentId, selectors, expiresAt } = entry;
  const missing = missingOf(entry, has);
  const cause = causeOf(isOwn, missing.length, expiresAt > 0 && expiresAt <= now);
  return { id, spiffeId, parentId, selectors, expiresAt, entry, cause, missing };
}

function causeOf(isOwn: boolean, missing: number, isExpired: boolean): EntryCause {
  if (!isOwn) return "wrong_parent";
  if (missing > 0) return "selector_missing";
  return isExpired ? "entry_expired" : "granted";
}

function asExpired(entry: ExpiredEntry): NearEntry {
  return { ...entry, cause: "entry_expired", missing: [] };
}

function missingOf(
  entry: { readonly selectors: readonly Selector[] },
  has: ReadonlySet<string>,
): readonly Selector[] {
  return entry.selectors.filter((selector) => !has.has(selectorKey(selector)));
}

/** How many things are wrong; of equals, an expired entry comes first and one under another parent last. */
function wrongness({ cause, missing }: NearEntry): number {
  switch (cause) {
    case "granted":
      return 0;
    case "entry_expired":
      return 1;
    case "selector_missing":
    case "no_entry":
      return missing.length + 0.1;
    case "wrong_parent":
      return missing.length + 1.2;
  }
}
