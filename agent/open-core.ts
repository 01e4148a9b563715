import { dirname, join } from "node:path";
import { Feed } from "../runtime/feed.ts";
import type { Logger } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import type { Clock } from "../runtime/time/clock.ts";
import { TrustDomain } from "../spiffe/id/trust-domain.ts";
import { AgentAudit } from "./audit/agent-audit.ts";
import { AuditWitness } from "./audit/audit-witness.ts";
import { type Delivery, deliveryRecord } from "./audit/delivery-records.ts";
import { RepeatFilter } from "./audit/repeat-filter.ts";
import { KeyPool } from "./cache/key-pool.ts";
import { WorkloadCache } from "./cache/workload-cache.ts";
import type { AgentConfig } from "./config/agent-config.ts";
import { ServerConnection } from "./connection/server-connection.ts";
import { exportPrivateKey, storeIdentity } from "./identity/agent-identity.ts";
import { IdentityHolder } from "./identity/identity-holder.ts";
import { signingAuthorities } from "./identity/signing-authorities.ts";
import { TrustStore } from "./identity/trust-store.ts";
import { AttestationMemory } from "./node-attestation/attestation-memory.ts";
import { JoinTokenAttestor } from "./node-attestation/join-token.ts";
import { K8sPsatAttestor } from "./node-attestation/k8s-psat.ts";
import type { NodeAttestor } from "./node-attestation/node-attestor.ts";
import { X509PopAttestor } from "./node-attestation/x509pop.ts";
import { type OpenedState, openState } from "./open-state.ts";
import { encodeState, type StateFields } from "./state/encode-state.ts";
import type { NodeFacts } from "./state/node-binding.ts";
import { StateWriter } from "./state/state-writer.ts";
import { BindingQueue } from "./sync/binding-queue.ts";
import { Contact } from "./sync/contact.ts";
import { DEFAULT_ISSUANCE_LIMITS, type IssuanceLimits } from "./sync/issuance-limits.ts";
import { jwtSvidIssuer } from "./sync/issue-jwt-svid.ts";
import { witSvidIssuer } from "./sync/issue-wit-svid.ts";
import { restoreView, storeView } from "./sync/persisted-view.ts";
import { type ServingDeps, updateServing } from "./sync/serving.ts";
import { SyncedView } from "./sync/synced-view.ts";

/** What the parts behind the endpoints are made from. */
export interface CoreDeps {
  readonly config: AgentConfig;
  readonly nodeFacts: NodeFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The parts of an agent that talk to no workload, filled with what an earlier run left. */
export interface Core {
  readonly identity: IdentityHolder;
  readonly trust: TrustStore;
  readonly connection: ServerConnection;
  readonly attestor: NodeAttestor;
  readonly memory: AttestationMemory;
  readonly audit: AgentAudit;
  readonly witness: AuditWitness;
  readonly keys: KeyPool;
  readonly cache: WorkloadCache;
  readonly view: SyncedView;
  readonly bindings: BindingQueue;
  readonly contact: Contact;
  readonly limits: Feed<IssuanceLimits>;
  readonly serving: ServingDeps;
  readonly writer: StateWriter;
  /** Makes the state durable. */
  readonly persist: () => Promise<void>;
  /** The state has changed and may be written soon. */
  readonly changed: () => void;
  /** Something has a successor and would do for a while. */
  readonly renewed: () => void;
}

/** Keys made in advance, so that a new entry does not wait for one. */
const KEY_POOL_SIZE = 8;

/** Puts the parts together in the order of the data. The caller closes `audit`, `writer` and `connection`. */
export async function openCore(deps: CoreDeps): Promise<Core> {
  const { config, clock, random, log } = deps;
  const trustDomain = TrustDomain.parse(config.trustDomain);
  const state = await openState({ ...deps, settings: config.state, trustDomain });
  const { loaded } = state;

  const identity = new IdentityHolder({
    identity: state.identity,
    verdict: loaded?.banned ? "banned" : undefined,
  });
  const trust = new TrustStore(trustDomain);
  const { servers } = config;
  const connection = new ServerConnection({ servers, identity, trust, clock, random, log });
  const memory = new AttestationMemory(state.attestation);

  const directory = config.audit.directory ?? join(dirname(config.state.path), "audit");
  const maxBytes = config.audit.maxSize;
  const audit = await AgentAudit.open({ directory, maxBytes, identity, clock, log });
  const witness = new AuditWitness(log, loaded?.witnessed ?? [], loaded?.disputedWriters);

  const keys = new KeyPool(config.svidKeyType, KEY_POOL_SIZE);
  const bindings = new BindingQueue();
  const onBinding = bindings.add.bind(bindings);
  const cache = new WorkloadCache({
    trustDomain: trustDomain.name,
    clock,
    random,
    maxX509Svids: config.limits.maxX509Svids,
    maxJwtSvids: config.limits.maxJwtSvids,
    issueJwtSvid: jwtSvidIssuer({ connection, clock, onBinding }),
    issueWitSvid: config.experimental.witSvid
      ? witSvidIssuer({ connection, keys, clock, onBinding })
      : undefined,
    onWitHeld: () => writer.touch(),
    onBinding,
    onDelivery: deliveryRecorder(audit, identity, clock),
  });
  const lastContactMs = Number(loaded?.lastContactMs ?? 0n);
  const contact = new Contact(clock, lastContactMs === 0 ? undefined : new Date(lastContactMs));
  const point = loaded && restoreView(loaded, { cache, trustDomain, log });
  const ownBundle = cache.bundles.get(trustDomain.name);
  if (ownBundle !== undefined) {
    trust.update(ownBundle.wire);
    identity.renewTainted(signingAuthorities(ownBundle.wire), deps);
  }
  const view = new SyncedView(
    { cache, trust, identity, clock, random, log },
    lastContactMs === 0 ? undefined : point,
  );

  const collected = { trustDomain, identity, memory, cache, view, contact, witness, clock };
  const collect = (): Iterable<Uint8Array> => collectState(state, collected);
  const writer = new StateWriter({ path: config.state.path, collect, clock, log });
  const persist = (): Promise<void> => writer.flush();
  const maxOfflineMs = config.offline.maxAge;
  const serving = { cache, view, identity, contact, maxOfflineMs, persist, clock, log };
  updateServing(serving);
  return {
    identity,
    trust,
    connection,
    attestor: makeAttestor(config, memory, random),
    memory,
    audit,
    witness,
    keys,
    cache,
    view,
    bindings,
    contact,
    limits: new Feed(DEFAULT_ISSUANCE_LIMITS),
    serving,
    writer,
    persist,
    changed: () => writer.touch(),
    renewed: () => writer.touchRenewed(),
  };
}

/** Puts deliveries on record; those that repeat, as when a workload polls, once a minute. */
function deliveryRecorder(
  audit: AgentAudit,
  identity: IdentityHolder,
  clock: Clock,
): (delivery: Delivery) => void {
  const filter = new RepeatFilter(clock);
  return (delivery) => {
    const { kind, entryId, credential, instance, executable, uid, delegate } = delivery;
    const by = delegate?.id;
    const what = JSON.stringify([kind, entryId, credential, instance, executable, uid, by]);
    const suppressed = filter.admit(what);
    if (suppressed === undefined) return;
    audit.record(deliveryRecord(delivery, suppressed, identity.identity?.id.toString()));
  };
}

function makeAttestor(
  config: AgentConfig,
  memory: AttestationMemory,
  random: Random,
): NodeAttestor {
  const settings = config.nodeAttestor;
  if ("join_token" in settings) {
    return new JoinTokenAttestor(settings.join_token, (digest) => memory.isSpent(digest));
  }
  if ("k8s_psat" in settings) return new K8sPsatAttestor(settings.k8s_psat);
  const { certificate, key, intermediates } = settings.x509pop;
  const files = { certificate, privateKey: key };
  return new X509PopAttestor(
    intermediates === undefined ? files : { ...files, intermediates },
    random,
  );
}

function collectState(
  opened: OpenedState,
  o: Pick<Core, "identity" | "memory" | "cache" | "view" | "contact" | "witness"> & {
    readonly trustDomain: TrustDomain;
    readonly clock: Clock;
  },
): Iterable<Uint8Array> {
  const { identity, verdict } = o.identity.standing.value;
  const { key, payloadDigest } = o.memory.stored;
  const own: StateFields = {
    trustDomain: o.trustDomain.name,
    nodeBinding: opened.nodeBinding,
    writtenAtMs: BigInt(o.clock.now().getTime()),
    lastContactMs: BigInt(o.contact.at?.getTime() ?? 0),
    banned: verdict === "banned",
    witnessed: [...o.witness.seen],
    disputedWriters: [...o.witness.disputed],
    ...(identity === undefined ? {} : { identity: storeIdentity(identity) }),
    ...(key === undefined ? {} : { attestationKey: exportPrivateKey(key) }),
    ...(payloadDigest === undefined ? {} : { attestationPayloadDigest: payloadDigest }),
  };
  return encodeState([own], storeView(o.cache, o.view.point));
}
