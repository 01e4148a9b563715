import { selectorKey } from "../../proto/selector.ts";
import type { ClusterIndex } from "./cluster-index.ts";
import { desiredEntries, type RuleOutcome, staticEntry } from "./desired-entries.ts";
import {
  type ActualEntry,
  contentOf,
  type DesiredEntry,
  ENTRY_LABELS,
  groupOf,
} from "./desired-entry.ts";
import { changesOf, ListedEntries } from "./entry-book.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import { nameOfOrigin, nameOfResource } from "./resources/resource.ts";

/** One thing that the registrar would do, or will not do, and why. */
export interface PlannedChange {
  readonly action: "create" | "update" | "delete" | "keep" | "masked" | "nothing" | "fail";
  readonly spiffeId: string;
  /** "namespace/name"; empty for what is not a pod's. */
  readonly pod: string;
  /** The resource; of a deletion, the one that the entry came from. */
  readonly resource: string;
  readonly why: string;
  /** What of it a tenant can set; empty when nothing. */
  readonly restsOn: string;
}

/** What the registrar would do with a cluster as it stands, and the entries that it has. Changes nothing. */
export function planChanges(
  index: ClusterIndex,
  own: readonly ActualEntry[],
  rules: RegistrarRules,
): readonly PlannedChange[] {
  const listed = new ListedEntries();
  listed.add(own);
  const ownById = new Map(own.map((entry) => [entry.id, entry]));
  const groups = new Set([...index.groups(), ...listed.byGroup.keys()]);
  const problems = [...index.readings].flatMap(([name, reading]) =>
    reading.ok
      ? []
      : reading.problems.map(({ path, message }) =>
          change("fail", name, `${path}: ${message}`, { spiffeId: "", pod: "" }),
        ),
  );
  return [...problems, ...[...groups].flatMap((group) => planGroup(group))];

  function planGroup(group: string): readonly PlannedChange[] {
    const { entries, notes } = wantedOf(group, index, rules);
    const known = listed.byGroup.get(group) ?? [];
    const { create, update, remove } = changesOf(entries, known);
    const changed = new Set(update.map(contentOf));
    const fresh = new Set(create.map(contentOf));
    return [
      ...notes,
      ...entries
        .filter((entry) => !changed.has(contentOf(entry)) && !fresh.has(contentOf(entry)))
        .map((entry) => entryChange("keep", entry, "is as it is to be")),
      ...create.map((entry) => entryChange("create", entry, "the resource selects the pod")),
      ...update.map((entry) =>
        entryChange("update", entry, differenceOf(ownById.get(entry.id), entry)),
      ),
      ...remove.flatMap((id) => {
        const entry = ownById.get(id);
        return entry === undefined ? [] : [entryChange("delete", entry, whyGone(group, index))];
      }),
    ];
  }
}

function wantedOf(
  group: string,
  index: ClusterIndex,
  rules: RegistrarRules,
): { readonly entries: readonly DesiredEntry[]; readonly notes: readonly PlannedChange[] } {
  const surroundings = index.surroundings(group);
  if (surroundings === undefined) {
    const resource = index.staticEntry(group);
    if (resource === undefined) return { entries: [], notes: [] };
    const entry = staticEntry(resource, rules);
    if (!("message" in entry)) return { entries: [entry], notes: [] };
    const spiffeId = resource.spiffeId.toString();
    const note = change("fail", nameOfResource(resource), entry.message, { spiffeId, pod: "" });
    return { entries: [], notes: [note] };
  }
  const { namespace, name } = surroundings.pod;
  const of = { spiffeId: "", pod: `${namespace}/${name}` };
  const outcomes = desiredEntries(index.rules.values(), surroundings, rules);
  const entries = outcomes.flatMap((outcome) => (outcome.kind === "entry" ? [outcome.entry] : []));
  const notes = outcomes.flatMap((outcome) => noteOf(outcome, of) ?? []);
  return { entries, notes };
}

/** What is to be said of a rule that gives the pod no entry. */
function noteOf(
  outcome: RuleOutcome,
  of: { readonly spiffeId: string; readonly pod: string },
): PlannedChange | undefined {
  const resource = nameOfResource(outcome.rule);
  switch (outcome.kind) {
    case "entry":
      return undefined;
    case "failed":
      return change("fail", resource, outcome.message, of);
    case "masked":
      return change("masked", resource, `${nameOfResource(outcome.by)} gives the same`, of);
    case "nothing":
      return change("nothing", resource, "no node yet, ended, or a fallback not needed", of);
  }
}

function entryChange(
  action: PlannedChange["action"],
  entry: DesiredEntry,
  why: string,
): PlannedChange {
  const { labels, origin, spiffeId } = entry;
  const pod = labels[ENTRY_LABELS.pod];
  return {
    action,
    spiffeId,
    pod: pod === undefined ? "" : `${labels[ENTRY_LABELS.namespace]}/${pod}`,
    resource: nameOfOrigin(origin),
    why,
    restsOn: labels[ENTRY_LABELS.restsOn] ?? "",
  };
}

function change(
  action: PlannedChange["action"],
  resource: string,
  why: string,
  of: { readonly spiffeId: string; readonly pod: string },
): PlannedChange {
  return { action, ...of, resource, why, restsOn: "" };
}

function whyGone(group: string, index: ClusterIndex): string {
  if (!group.startsWith("pod:")) return "the resource is not there any more";
  const around = index.surroundings(group);
  if (around === undefined) return "the pod is not there any more";
  return around.node === undefined
    ? "the pod's node is not there any more"
    : "no resource gives it to the pod any more";
}

/** The fields in which two entries differ, with what they were and will be. */
function differenceOf(before: ActualEntry | undefined, after: DesiredEntry): string {
  if (before === undefined || groupOf(before) !== groupOf(after)) return "differs";
  const [was, is] = [fieldsOf(before), fieldsOf(after)];
  const changed = Object.keys(is).filter((key) => was[key] !== is[key]);
  return changed.map((key) => `${key}: ${was[key]} -> ${is[key]}`).join("; ") || "differs";
}

function fieldsOf(entry: DesiredEntry): Readonly<Record<string, string>> {
  return {
    spiffe_id: entry.spiffeId,
    parent_id: entry.parentId,
    selectors: entry.selectors.map(selectorKey).join(" "),
    x509_svid_ttl: `${entry.x509SvidTtlSeconds}s`,
    jwt_svid_ttl: `${entry.jwtSvidTtlSeconds}s`,
    federates_with: entry.federatesWith.join(" "),
    flags: [
      entry.admin && "admin",
      entry.downstream && "downstream",
      entry.storeSvid && "store_svid",
    ]
      .filter((flag) => flag !== false)
      .join(" "),
    dns_names: entry.dnsNames.join(" "),
    hint: entry.hint,
    owner: entry.owner,
    origin: `${entry.origin.kind} ${entry.origin.name}`,
  };
}
