import type { ClusterIndex } from "./cluster-index.ts";
import { desiredEntries, type RuleOutcome, staticEntry } from "./desired-entries.ts";
import { type DesiredEntry, ENTRY_LABELS } from "./desired-entry.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import { nameOfResource } from "./resources/resource.ts";
import type { GroupRecord } from "./tally.ts";

/** The entries that a group is to have, and what came of each resource that has to do with it. Nothing of a group that is gone. */
export function evaluateGroup(
  index: Pick<ClusterIndex, "surroundings" | "staticEntry" | "rules">,
  group: string,
  rules: RegistrarRules,
): { readonly entries: readonly DesiredEntry[]; readonly records: readonly GroupRecord[] } {
  const surroundings = index.surroundings(group);
  if (surroundings !== undefined) {
    const outcomes = desiredEntries(index.rules.values(), surroundings, rules);
    const { namespace, name } = surroundings.pod;
    return {
      entries: outcomes.flatMap((outcome) => (outcome.kind === "entry" ? [outcome.entry] : [])),
      records: outcomes.map((outcome) => recordOf(outcome, `${namespace}/${name}`)),
    };
  }
  const resource = index.staticEntry(group);
  if (resource === undefined) return { entries: [], records: [] };
  const entry = staticEntry(resource, rules);
  const about = { resource: nameOfResource(resource), pod: resource.meta.name };
  return "message" in entry
    ? { entries: [], records: [{ ...about, kind: "failed", message: entry.message }] }
    : { entries: [entry], records: [{ ...about, kind: "entry" }] };
}

function recordOf(outcome: RuleOutcome, pod: string): GroupRecord {
  const resource = nameOfResource(outcome.rule);
  switch (outcome.kind) {
    case "entry": {
      const { spiffeId, labels } = outcome.entry;
      const rootOwner = labels[ENTRY_LABELS.rootOwner] ?? "";
      return { resource, kind: "entry", pod, spiffeId, rootOwner };
    }
    case "failed":
      return { resource, kind: "failed", pod, message: outcome.message };
    case "masked":
    case "nothing":
      return { resource, kind: outcome.kind, pod };
  }
}
