import { createHash } from "node:crypto";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { renewalDelayMs, renewalInstant } from "../../runtime/time/due.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import { isUnreachable, type ServerConnection } from "../connection/server-connection.ts";
import { untilChanged } from "../connection/until-changed.ts";
import {
  type AgentIdentity,
  makeIdentity,
  RENEW_AFTER,
  RENEW_JITTER,
} from "../identity/agent-identity.ts";
import type { IdentityHolder } from "../identity/identity-holder.ts";
import { generateSvidKey } from "../identity/svid-key.ts";
import type { TrustStore } from "../identity/trust-store.ts";
import { attestAgent, fetchBundle } from "./attest-agent.ts";
import { type AttestationStep, nextStep } from "./attestation.ts";
import type { AttestationMemory } from "./attestation-memory.ts";
import type { NodeAttestor } from "./node-attestor.ts";

export interface AttestationDeps {
  readonly attestor: NodeAttestor;
  readonly memory: AttestationMemory;
  readonly identity: IdentityHolder;
  readonly trust: TrustStore;
  readonly connection: ServerConnection;
  /** Whether no server has taken the agent's identity for long. */
  readonly isCutOff: () => boolean;
  /** Makes identity and memory durable. */
  readonly persist: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The first pause after a failure, and the longest. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 60_000;
/** How often a blocked agent looks whether somebody has helped it, on average. */
const BLOCKED_RETRY_MS = 60_000;
/** The wall clock may jump while we wait for an instant; look at it this often. */
const MAX_WAIT_MS = 60_000;
const RENEW_TIMEOUT_MS = 30_000;

/**
 * Keeps the agent in possession of an identity. Failures are retried for ever, with growing, jittered pauses; what only a
 * person can mend is logged and looked at once a minute. Resolves once `signal` aborts.
 */
export async function runAttestation(deps: AttestationDeps, signal: AbortSignal): Promise<void> {
  const { identity, clock, random } = deps;
  const backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random });
  while (!signal.aborted) {
    const seen = identity.standing.value;
    const payload = await readPayload(deps);
    const step = nextStep({
      ...seen,
      now: clock.now(),
      canAttest: payload !== undefined,
      isCutOff: deps.isCutOff(),
    });
    let ms = step.kind === "wait" ? Math.min(step.ms, MAX_WAIT_MS) : BLOCKED_RETRY_MS;
    try {
      if (await act(deps, step, payload, signal)) {
        backoff.reset();
        continue;
      }
    } catch (err) {
      if (signal.aborted) return;
      identity.report(err);
      if (step.kind !== "blocked") ms = backoff.nextMs();
      deps.log.warn({ err, step: step.kind, retry_in_ms: ms }, "Agent identity was not obtained");
    }
    if (step.kind === "blocked") ms *= 0.5 + random.uniform();
    await untilChanged(identity.standing, { seen, ms, clock, signal });
  }
}

/** Does what a step asks for; returns whether there is a new identity now. */
async function act(
  deps: AttestationDeps,
  step: AttestationStep,
  payload: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (step.kind === "wait") return false;
  if (step.kind === "blocked") {
    deps.log.error({ reason: step.why }, BLOCKED_MESSAGES[step.why]);
  }
  const call = step.kind === "blocked" ? step.probe : step.kind;
  if (call === "none") return false;
  if (call === "renew") await renew(deps, signal);
  else if (payload !== undefined) await attest(deps, payload, signal);
  return true;
}

const BLOCKED_MESSAGES: Readonly<Record<(AttestationStep & { kind: "blocked" })["why"], string>> = {
  banned: "Server has banned this agent, nothing is served until it is let in again",
  no_credential: "Agent has nothing to attest with, a join token or certificate is needed",
  expired: "Agent identity has expired and cannot be renewed, a new join token is needed",
  not_attested: "Server does not know this agent any more, a new join token is needed",
  not_active: "Another holder of this agent's identity has taken its place, attest it anew",
  must_reattest: "Server wants this agent to attest again, and there is nothing to do it with",
};

async function readPayload(deps: AttestationDeps): Promise<Uint8Array | undefined> {
  try {
    return await deps.attestor.payload();
  } catch (err) {
    deps.log.warn({ err, attestor: deps.attestor.type }, "Node attestor cannot prove this node");
    return undefined;
  }
}

async function attest(
  deps: AttestationDeps,
  payload: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const { attestor, memory, connection, trust } = deps;
  const digest = new Uint8Array(createHash("sha256").update(payload).digest());
  const key = memory.keyFor(digest) ?? (await generateSvidKey("ec-p256")).privateKey;
  memory.begin(key, digest);
  await persist(deps);
  const link = connection.openAnonymous();
  try {
    const { chainDer, reattestable } = await attestAgent({ link, attestor, payload, key, signal });
    const identity = makeAgentIdentity(deps, { chainDer, privateKey: key, reattestable });
    try {
      trust.update(await fetchBundle(link, signal));
    } catch (err) {
      // The synchronisation that follows brings the bundle too; an identity must not be lost for want of it.
      deps.log.warn({ err }, "Trust bundle was not fetched after attestation");
    }
    memory.succeeded();
    deps.identity.setIdentity(identity);
    logIdentity(deps, identity, "Agent attested");
  } catch (err) {
    if (isUnreachable(err)) connection.failed(link);
    throw err;
  } finally {
    link.close();
  }
  await persist(deps);
}

async function renew(deps: AttestationDeps, signal: AbortSignal): Promise<void> {
  const { privateKey } = await generateSvidKey("ec-p256");
  const csr = createCsr({ privateKey });
  const { svid } = await deps.connection.call(Agent, (client) =>
    client.renewAgent({ params: { csr } }, { signal, timeoutMs: RENEW_TIMEOUT_MS }),
  );
  const chainDer = svid?.certChain ?? [];
  const reattestable = deps.identity.identity?.reattestable ?? false;
  const identity = makeAgentIdentity(deps, { chainDer, privateKey, reattestable });
  deps.identity.setIdentity(identity);
  logIdentity(deps, identity, "Agent identity renewed");
  await persist(deps);
}

function makeAgentIdentity(
  { trust, random, clock }: AttestationDeps,
  o: Pick<AgentIdentity, "chainDer" | "privateKey" | "reattestable">,
): AgentIdentity {
  const now = clock.now();
  const renewAt = (validity: { readonly notBefore: Date; readonly notAfter: Date }): Date => {
    const how = { fraction: RENEW_AFTER, jitter: RENEW_JITTER, random };
    const drawn = renewalInstant({ ...validity, ...how });
    return new Date(now.getTime() + renewalDelayMs({ ...validity, renewAt: drawn, now }));
  };
  return makeIdentity({ ...o, trustDomain: trust.trustDomain, renewAt });
}

function logIdentity({ log }: AttestationDeps, identity: AgentIdentity, message: string): void {
  log.info(
    {
      agent_id: identity.id.toString(),
      serial_number: identity.serialNumber,
      expires_at: identity.notAfter.toISOString(),
    },
    message,
  );
}

async function persist({ persist, log }: AttestationDeps): Promise<void> {
  try {
    await persist();
  } catch (err) {
    log.error({ err }, "Agent identity cannot be stored, a restart will have to attest again");
  }
}
