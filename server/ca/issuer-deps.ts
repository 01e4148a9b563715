import type { ReadFeed } from "../../runtime/feed.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import { authoriseIssuance } from "../policy/authorise-issuance.ts";
import type { IssuanceContext, IssuanceDecision } from "../policy/issuance.ts";
import type { IssuancePolicy } from "../policy/issuance-policy.ts";
import type { KnownBadKeys } from "../policy/key-policy.ts";
import type { ActiveAuthorities } from "./authority.ts";
import type { IssuanceCall } from "./issuance.ts";
import type { AuditedOrder } from "./issuance-audit.ts";
import type { CaMetrics } from "./metrics.ts";
import type { SigningPool } from "./signing-pool.ts";

/** What issuing needs. */
export interface IssuerDeps {
  readonly active: ReadFeed<ActiveAuthorities>;
  readonly audit: AuditLog;
  /** The policy in force; asked for at each call. */
  readonly policy: () => IssuancePolicy;
  /** Who is banned and what is revoked, as this server knows it. */
  readonly facts: IssuanceFacts;
  readonly pool: SigningPool;
  /** Keys that are never certified, nor bound to a token; the pool has them too. */
  readonly knownBadKeys: KnownBadKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: CaMetrics;
  /** The `iss` claim of tokens. */
  readonly tokenIssuer?: string;
}

/** The state of the world without the time. */
export type IssuanceFacts = Omit<IssuanceContext, "now">;

/** Something that is asked for, as the policy wants to see it. */
export interface AskedFor extends AuditedOrder {
  readonly dnsNames?: readonly string[];
  readonly audiences?: readonly string[];
  readonly ttlSeconds?: number;
}

/** One call's view of the policy and the world: the same for all of its items. */
export class Door {
  readonly policy: IssuancePolicy;
  readonly context: IssuanceContext;

  constructor(deps: IssuerDeps) {
    const { facts, clock } = deps;
    this.policy = deps.policy();
    this.context = {
      now: clock.now(),
      isBanned: (agentId) => facts.isBanned(agentId),
      isRevoked: (spiffeId, entryId) => facts.isRevoked(spiffeId, entryId),
      exceptionUntil: (request) => facts.exceptionUntil(request),
      revocationEpoch: facts.revocationEpoch,
    };
  }

  /** Asks whether an order may be granted. */
  ask({ actor }: IssuanceCall, order: AskedFor): IssuanceDecision {
    const { profile, spiffeId, entry, dnsNames = [], audiences = [], ttlSeconds } = order;
    return authoriseIssuance(
      {
        profile,
        subject: spiffeId,
        actor,
        dnsNames,
        audiences,
        ...(entry === undefined ? {} : { entry }),
        ...(ttlSeconds === undefined ? {} : { requestedTtlSeconds: ttlSeconds }),
      },
      this.context,
      this.policy,
    );
  }
}
