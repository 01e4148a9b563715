import type { RefreshStatus } from "./bundle-refresher.ts";
import type { Relationship } from "./relationships.ts";

/** Something about a trust domain's place with us that somebody should look at. */
export type FederationFinding =
  /** Trusted for everything. */
  | "any"
  /** A bundle was set by hand, without a relationship: nobody said what for, and nobody fetches it. */
  | "bundle_only"
  /** Nobody answers for it. */
  | "no_owner"
  /** There is no bundle yet. */
  | "no_bundle"
  /** The last fetch failed. */
  | "fetch_failing"
  /** Its time is over; it may be deleted. */
  | "ended"
  /** Some entries have its bundle without the limits. */
  | "unrestricted_entries";

/** How one kind of consumer keeps to the limits of a relationship. */
export interface Enforcement {
  readonly consumer: string;
  readonly state: "enforced" | "withheld" | "not_enforced" | "unlimited";
}

/** Who validates by the limits himself, or is told them in a form that he keeps to. */
const ENFORCING = ["ValidateJWTSVID", "client library", "Envoy SDS that asks for limits"];
/** Who has the bundle and nothing else. */
const RAW = ["Workload API bundles", "Envoy SDS otherwise", "agents of other makes"];

/** What is known about one foreign trust domain. */
export interface FederationFacts {
  /** Undefined where there is only a bundle. */
  readonly relationship: Relationship | undefined;
  readonly hasBundle: boolean;
  readonly status: RefreshStatus;
  readonly entries: number;
  readonly unrestricted: number;
}

export function findingsOf(facts: FederationFacts): readonly FederationFinding[] {
  const { relationship, hasBundle, status, unrestricted } = facts;
  const findings: FederationFinding[] = [];
  if (relationship === undefined) findings.push("bundle_only");
  const { limits, record } = relationship ?? {};
  if (record !== undefined && record.endedAt !== 0) return ["ended"];
  if (limits?.isAny !== false) findings.push("any");
  if (relationship !== undefined && limits?.owner === "") findings.push("no_owner");
  if (!hasBundle) findings.push("no_bundle");
  if (status.failure !== undefined) findings.push("fetch_failing");
  if (limits?.isAny === false && unrestricted > 0) findings.push("unrestricted_entries");
  return findings;
}

/** Of each kind of consumer, whether it keeps to the limits. */
export function enforcementOf({
  relationship,
  unrestricted,
}: Pick<FederationFacts, "relationship" | "unrestricted">): readonly Enforcement[] {
  const isAny = relationship?.limits.isAny !== false;
  const isEnded = relationship !== undefined && relationship.record.endedAt !== 0;
  const stateOf = (canEnforce: boolean): Enforcement["state"] => {
    if (isEnded) return "withheld";
    if (isAny) return "unlimited";
    if (canEnforce) return "enforced";
    return unrestricted > 0 ? "not_enforced" : "withheld";
  };
  return [
    ...ENFORCING.map((consumer) => ({ consumer, state: stateOf(true) })),
    ...RAW.map((consumer) => ({ consumer, state: stateOf(false) })),
  ];
}
