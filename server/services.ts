import { decodeAgentVersion } from "../proto/convert/agent.ts";
import { describeError } from "../runtime/errors/describe.ts";
import type { Health } from "../runtime/health.ts";
import type { Logger } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import type { Registration } from "../runtime/rpc/service.ts";
import type { Clock } from "../runtime/time/clock.ts";
import { adminService } from "./api/admin/admin-service.ts";
import { agentService } from "./api/agent-service.ts";
import { agentSyncService } from "./api/agent-sync-service.ts";
import { bundleService } from "./api/bundle-service.ts";
import type { Caller } from "./api/caller.ts";
import { debugService } from "./api/debug-service.ts";
import { entryService } from "./api/entry-service.ts";
import { healthService } from "./api/health-service.ts";
import { localAuthorityService } from "./api/local-authority-service.ts";
import { loggerService } from "./api/logger-service.ts";
import { MAX_SVIDS_PER_CALL, svidService } from "./api/svid-service.ts";
import { trustDomainService } from "./api/trust-domain-service.ts";
import type { AgentArchive } from "./audit/agent-archive.ts";
import { LocalAuthority } from "./ca/local-authority.ts";
import { guaranteedTtl } from "./config/authority-schedule.ts";
import type { ConfigDifference } from "./config/reload.ts";
import { NO_GRANTS } from "./config/roles.ts";
import type { SettingsInForce } from "./config/settings-in-force.ts";
import { EntryWrites } from "./entries/entry-writes.ts";
import type { KnownClusters } from "./k8s/known-clusters.ts";
import type { LastSeen } from "./node-attestation/last-seen.ts";
import type { NodeAttestor } from "./node-attestation/node-attestor.ts";
import type { Core } from "./open-core.ts";
import { recordBindings } from "./record-bindings.ts";
import { agentSvidIssuer } from "./svid/agent-svid.ts";
import type { EntryUsage } from "./svid/entry-usage.ts";
import type { AgentStreamDeps } from "./sync/agent-stream.ts";
import type { ConnectedAgents } from "./sync/connected-agents.ts";
import { heartbeatInterval } from "./sync/heartbeats.ts";
import { WireParts } from "./sync/wire-parts.ts";

/** What the services need beside the core. */
export interface ServicesDeps {
  readonly core: Core;
  readonly settings: SettingsInForce;
  readonly known: KnownClusters;
  readonly agents: ConnectedAgents;
  readonly attestors: () => ReadonlyMap<string, NodeAttestor>;
  readonly usage: EntryUsage;
  readonly lastSeen: LastSeen;
  readonly archive: AgentArchive;
  readonly health: Health;
  readonly keepOpen: (connectionId: string) => Disposable;
  readonly reload: (options: { readonly dryRun: boolean }) => Promise<ConfigDifference>;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Every service that the server offers, tied to the core. */
export function makeServices(deps: ServicesDeps): readonly Registration<Caller>[] {
  const { core, settings, agents, clock, random, log } = deps;
  const { trustDomain, store, authorization, bundles, federation, issuer, audit } = core;
  const authorities = new LocalAuthority(core.authorities, core.bundle);
  const issueAgentSvid = agentSvidIssuer(issuer);
  const writes = new EntryWrites({
    store,
    clock,
    random,
    ttlLimits: () => ttlLimitsOf(settings),
    requirements: () => settings.config.entries.require,
  });
  return [
    agentService({
      trustDomain,
      store,
      attest: { trustDomain, attestors: deps.attestors, store, issueAgentSvid, audit, clock },
      renew: {
        store,
        issueAgentSvid,
        renewGrace: () => settings.config.agents.renewGrace,
        clock,
      },
      keepOpen: deps.keepOpen,
      clock,
      random,
    }),
    entryService({ trustDomain, store, writes, authorization }),
    svidService({
      trustDomain,
      issuer,
      workload: { authorization, issuer, usage: deps.usage },
    }),
    bundleService({
      trustDomain,
      store,
      bundles,
      local: core.bundle,
      served: federation.served,
      authorization,
    }),
    localAuthorityService(authorities),
    trustDomainService({ trustDomain, store, bundles, ...federation, clock }),
    loggerService(log, () => settings.config.log.level),
    debugService({ store, clock, identity: core.identity }),
    healthService({ health: deps.health, clock }),
    agentSyncService(agentStreamDeps(deps)),
    adminService({
      entries: { trustDomain, store, writes },
      access: {
        grantsOfUid: (uid) => settings.grantsOfUser(uid) ?? NO_GRANTS,
        grantsOfId: (id) => settings.grantsOfId(id.toString()),
      },
      audit: {
        directory: audit.directory,
        trustedKeys: () => [audit.publicKey],
        witnessed: () => witnessedBy(agents),
        flush: () => audit.flush(),
      },
      rollout: { store, agents, times: core.times, clock },
      explain: { trustDomain, store, authorization, agents, clock },
      store,
      clusters: {
        known: deps.known,
        hasRegistrar: (name) => settings.config.registrar.clusters[name] !== undefined,
        store,
        clock,
      },
      federation: { trustDomain, store, bundles, ...federation, clock },
      authorities,
      reload: deps.reload,
      clock,
    }),
  ];
}

function agentStreamDeps(deps: ServicesDeps): AgentStreamDeps {
  const { core, settings, agents, usage, lastSeen, archive, version, clock } = deps;
  return {
    source: {
      authorization: core.authorization,
      bundles: core.federation.served,
      trustDomain: core.trustDomain.name,
      incarnation: core.store.incarnation,
      revocationEpoch: () => core.epoch.value,
      parts: new WireParts(),
    },
    recent: core.recent,
    agents,
    hello: () => ({
      serverVersion: version,
      heartbeatSeconds: heartbeatSeconds(settings),
      nextHeartbeatSeconds: heartbeatInterval(heartbeatSeconds(settings), agents.size),
      maxCsrsPerCall: MAX_SVIDS_PER_CALL,
      maxCsrsInFlight: MAX_SVIDS_PER_CALL,
    }),
    bound: (agentId, bindings) => recordBindings({ audit: core.audit, usage }, agentId, bindings),
    archive: async (agentId, { lines }) => BigInt(await archive.append(agentId, lines)),
    seen: (agentId, hello) => {
      lastSeen.note(agentId);
      if (hello !== undefined) void noteVersion(deps, agentId, hello.agentVersion);
    },
    clock,
  };
}

/** Writes down which version an agent says it is, if that is news. */
async function noteVersion(
  { core, log }: ServicesDeps,
  agentId: string,
  reported: string,
): Promise<void> {
  try {
    const agentVersion = decodeAgentVersion("agent_version", reported);
    const found = await core.store.read("getNode", { id: agentId });
    if (found === undefined || found.node.agentVersion === agentVersion) return;
    await core.store.write("setAgentVersion", { id: agentId, agentVersion });
  } catch (err) {
    log.warn({ agent_id: agentId, reason: describeError(err) }, "Could not note agent version");
  }
}

/** How often server and agent give each other a sign of life while there are few agents. */
export function heartbeatSeconds({ config }: SettingsInForce): number {
  return Math.max(1, Math.round(config.agents.heartbeat / 1000));
}

function ttlLimitsOf({ config }: SettingsInForce) {
  const longest = Math.floor(guaranteedTtl(config.ca.authorityTtl) / 1000);
  return { x509Seconds: longest, jwtSeconds: longest };
}

function witnessedBy(agents: ConnectedAgents) {
  return agents.witnesses().map(({ head }) => ({
    seq: Number(head.seq),
    hash: Buffer.from(head.hash).toString("hex"),
  }));
}
