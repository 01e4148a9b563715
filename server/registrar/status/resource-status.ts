import type { ResourceReading } from "../resources/parse-resource.ts";
import type { FederationOutcome } from "../run-federation.ts";
import type { ResourceTally } from "../tally.ts";

/** One condition of a resource, without the instant that it changed at. */
export interface ConditionDraft {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** The status of a resource, without what only its history can tell. */
export interface StatusDraft {
  readonly observedGeneration: number;
  readonly conditions: readonly ConditionDraft[];
  /** The other fields, which depend on the kind. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is known beside the tally. */
export interface StatusFacts {
  readonly namespacesSelected: number;
  readonly namespacesIgnored: number;
  /** Whether entries of the resource are held back. */
  readonly isHeld: boolean;
  /** What became of a relationship; undefined while nothing has, as where the registrar has no right to it. */
  readonly federation?: FederationOutcome | undefined;
}

const MAX_MESSAGE = 1024;

/** What a resource's status is to say: counts, what went wrong and for whom, and who else has to do with it. */
export function statusOf(
  reading: ResourceReading,
  tally: ResourceTally,
  facts: StatusFacts,
): StatusDraft {
  if (!reading.ok) {
    const message = reading.problems
      .map(({ path, message: problem }) => `${path}: ${problem}`)
      .join("; ");
    return {
      observedGeneration: reading.meta.generation,
      conditions: [condition("Ready", false, "Invalid", message)],
      fields: reading.kind === "ClusterStaticEntry" ? { rendered: false, set: false } : {},
    };
  }
  const { resource } = reading;
  const observedGeneration = resource.meta.generation;
  switch (resource.kind) {
    case "ClusterFederatedTrustDomain":
      return {
        observedGeneration,
        conditions: [federationOf(facts.federation)],
        fields: {},
      };
    case "ClusterStaticEntry":
      return {
        observedGeneration,
        conditions: [readyOf(tally, facts)],
        fields: {
          rendered: tally.failed === 0,
          masked: false,
          set: tally.entries > 0 && tally.refused === 0,
        },
      };
    case "ClusterSPIFFEID":
    case "WorkloadIdentity":
      return {
        observedGeneration,
        conditions: [readyOf(tally, facts), conflictOf(tally), sharedOf(tally)],
        fields: podFields(tally, facts),
      };
  }
}

function podFields(tally: ResourceTally, facts: StatusFacts): Readonly<Record<string, unknown>> {
  return {
    stats: {
      namespacesSelected: facts.namespacesSelected,
      namespacesIgnored: facts.namespacesIgnored,
      podsSelected: tally.selected,
      podEntryRenderFailures: tally.failed,
      entriesMasked: tally.masked,
      entriesToSet: tally.entries,
      entryFailures: tally.refused,
      podsWaiting: tally.waiting,
    },
    errors: tally.errors.map(({ pod, message }) => ({
      pod,
      message: message.slice(0, MAX_MESSAGE),
    })),
    conflicts: tally.conflicts.map(({ pod, spiffeId, by }) => ({ pod, spiffeID: spiffeId, by })),
    sharedIdentities: tally.shared.map(({ spiffeId, owners }) => ({ spiffeID: spiffeId, owners })),
  };
}

function readyOf(tally: ResourceTally, { isHeld }: StatusFacts): ConditionDraft {
  const [first] = tally.errors;
  const example = first === undefined ? "" : `, ${first.pod} for one: ${first.message}`;
  if (isHeld) {
    return condition("Ready", false, "Held", "changes wait for `assay registrar confirm`");
  }
  if (tally.failed > 0) {
    const message = `${tally.failed} of ${tally.selected} give nothing valid${example}`;
    return condition("Ready", false, "RenderFailed", message);
  }
  if (tally.refused > 0) {
    const message = `the server refused entries of ${tally.refused}${example}`;
    return condition("Ready", false, "EntriesRefused", message);
  }
  if (tally.selected === 0) return condition("Ready", true, "NoPods", "selects no pods");
  return condition("Ready", true, "Applied", `${tally.entries} entries for ${tally.selected}`);
}

function federationOf(outcome: FederationOutcome | undefined): ConditionDraft {
  if (outcome === undefined) {
    const message =
      "the registrar of this cluster makes relationships only where `federation` says so";
    return condition("Ready", false, "NotAllowed", message);
  }
  return outcome.reason === "Applied"
    ? condition("Ready", true, "Applied", "`assay federation show` tells how the bundle stands")
    : condition("Ready", false, outcome.reason, outcome.message);
}

function conflictOf({ conflicts, conflictCount }: ResourceTally): ConditionDraft {
  const [first] = conflicts;
  if (first === undefined) return condition("Conflict", false, "None", "");
  const message = `${conflictCount} pods get other identities too, ${first.pod} for one: ${first.spiffeId} by ${first.by}`;
  return condition("Conflict", true, "SeveralIdentities", message);
}

function sharedOf({ shared }: ResourceTally): ConditionDraft {
  const [first] = shared;
  if (first === undefined) return condition("SharedIdentity", false, "None", "");
  const message = `${first.spiffeId} stands for ${first.owners.join(", ")}`;
  return condition("SharedIdentity", true, "SeveralOwners", message);
}

function condition(type: string, holds: boolean, reason: string, message: string): ConditionDraft {
  const status = holds ? "True" : "False";
  return { type, status, reason, message: message.slice(0, MAX_MESSAGE) };
}
