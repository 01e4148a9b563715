import { hash } from "node:crypto";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { JwsAlgorithm } from "../keymanager/key-type.ts";
import { ISSUANCE_PROFILES, type IssuanceProfile } from "./issuance.ts";

/** How long credentials of one profile live. */
export interface Lifetime {
  /** Where neither the caller nor the entry asks for another. */
  readonly defaultSeconds: number;
  readonly maxSeconds: number;
}

/** What the rules of issuing are set to. Immutable: another setting is another policy, with another revision. */
export interface IssuancePolicy {
  /** Names this set of settings in decisions and in the audit. */
  readonly revision: string;
  readonly trustDomain: TrustDomain;
  readonly lifetimes: Readonly<Record<IssuanceProfile, Lifetime>>;
  readonly disabled: ReadonlySet<IssuanceProfile>;
  readonly maxAudiences: number;
  /** What there are JWT authorities for; the default first. */
  readonly jwtAlgorithms: readonly JwsAlgorithm[];
  /** Audiences that take only tokens of one algorithm. */
  readonly audienceAlgorithms: ReadonlyMap<string, JwsAlgorithm>;
  readonly maxDnsNames: number;
}

/** The settings that a server's configuration knows. Durations in seconds. */
export interface IssuanceSettings {
  readonly trustDomain: TrustDomain;
  readonly x509SvidTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  readonly agentTtlSeconds: number;
  readonly authorityTtlSeconds: number;
  readonly witSvids: boolean;
  readonly jwtAlgorithms: readonly JwsAlgorithm[];
  readonly audienceAlgorithms: ReadonlyMap<string, JwsAlgorithm>;
}

const MAX_AUDIENCES = 32;
const MAX_DNS_NAMES = 32;
const DAY_SECONDS = 86_400;

/**
 * The policy for a server's settings. The longest lifetimes are bounds of good sense, not of the authority: that one may shorten
 * them further, which shows in the answer.
 */
export function issuancePolicy(settings: IssuanceSettings): IssuancePolicy {
  const { x509SvidTtlSeconds, jwtSvidTtlSeconds, agentTtlSeconds, authorityTtlSeconds } = settings;
  const upTo = (defaultSeconds: number, maxSeconds: number): Lifetime => ({
    defaultSeconds,
    maxSeconds: Math.max(defaultSeconds, maxSeconds),
  });
  const x509 = upTo(x509SvidTtlSeconds, authorityTtlSeconds);
  const jwt = upTo(jwtSvidTtlSeconds, DAY_SECONDS);
  const wit = upTo(x509SvidTtlSeconds, DAY_SECONDS);
  const lifetimes: IssuancePolicy["lifetimes"] = {
    x509_workload: x509,
    x509_agent: upTo(agentTtlSeconds, agentTtlSeconds),
    x509_server: upTo(x509SvidTtlSeconds, x509SvidTtlSeconds),
    x509_mint: x509,
    x509_downstream_ca: upTo(authorityTtlSeconds, authorityTtlSeconds),
    jwt_workload: jwt,
    jwt_mint: jwt,
    wit_workload: wit,
    wit_mint: wit,
  };
  const wits = ISSUANCE_PROFILES.filter((profile) => profile.startsWith("wit_"));
  return {
    revision: revisionOf(settings),
    trustDomain: settings.trustDomain,
    lifetimes,
    disabled: new Set(settings.witSvids ? [] : wits),
    maxAudiences: MAX_AUDIENCES,
    jwtAlgorithms: settings.jwtAlgorithms,
    audienceAlgorithms: settings.audienceAlgorithms,
    maxDnsNames: MAX_DNS_NAMES,
  };
}

/** Says what the settings are, so that two servers with equal settings have equal revisions. */
function revisionOf(settings: IssuanceSettings): string {
  const { x509SvidTtlSeconds, jwtSvidTtlSeconds, agentTtlSeconds, authorityTtlSeconds } = settings;
  const lifetimes = `${x509SvidTtlSeconds}-${jwtSvidTtlSeconds}-${agentTtlSeconds}-${authorityTtlSeconds}`;
  const algorithms = algorithmsText(settings);
  return `builtin-1-${lifetimes}${settings.witSvids ? "-wit" : ""}${algorithms}`;
}

/** Nothing for the only algorithm of a new trust domain. */
function algorithmsText({ jwtAlgorithms, audienceAlgorithms }: IssuanceSettings): string {
  const names = jwtAlgorithms.join("+");
  const audiences = [...audienceAlgorithms].sort(([a], [b]) => (a < b ? -1 : 1));
  const digest = hash("sha256", JSON.stringify(audiences), "hex").slice(0, 8);
  return `${names === "ES256" ? "" : `-${names}`}${audiences.length === 0 ? "" : `-${digest}`}`;
}
