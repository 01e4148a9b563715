/**
 * Runs every workload attestor for one caller under one deadline, and makes sure at the end that the
 * caller is still the process that the facts were read of.
 */
import { describeError } from "../../runtime/errors/describe.ts";
import { NarrowedSignal } from "../../runtime/narrowed-signal.ts";
import type { PeerCredentials } from "../../runtime/peer/credentials.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import type { InstanceFacts } from "../cache/instance.ts";
import { type ProcessFacts, readProcessFacts } from "./process-facts.ts";
import type { Caller, Findings, WorkloadAttestor } from "./workload-attestor.ts";

/** A caller as far as this node could find out. */
export interface AttestedCaller extends Omit<Findings, "instance" | "changed" | "isRelayed"> {
  readonly facts: ProcessFacts;
  readonly instance: InstanceFacts;
  /** One for each attestor that can tell, see {@link Findings}. */
  readonly changed?: readonly NonNullable<Findings["changed"]>[];
  /** Path of the executable, where it means something on this host. */
  readonly executable?: string;
  /** Whether it called on the socket of a pod that it is not known to be of. Then it has no selectors. */
  readonly isForeign?: boolean;
}

/** Who connected, and how. */
export interface CallingPeer {
  readonly credentials: PeerCredentials;
  /** See {@link Caller}. */
  readonly socketPod?: string | undefined;
}

export interface AttestDeps {
  readonly attestors: readonly WorkloadAttestor[];
  readonly timeLimitMs: number;
  /** Whether the peer is still the process that connected; see runtime/peer/process-watch. */
  readonly isSameProcess: (peer: PeerCredentials) => boolean;
}

/** Why a caller could not be attested at all. */
export class CallerGoneError extends Error {
  override readonly name = "CallerGoneError";
}

/** @throws {CallerGoneError} when the process ended or was replaced while its facts were read */
export async function attestCaller(
  deps: AttestDeps,
  { credentials: peer, socketPod }: CallingPeer,
  signal: AbortSignal,
): Promise<AttestedCaller> {
  let facts: ProcessFacts;
  try {
    facts = readProcessFacts(peer);
  } catch (cause) {
    throw new CallerGoneError("the caller's process cannot be read", { cause });
  }
  const calling: Caller = socketPod === undefined ? facts : { ...facts, socketPod };
  const findings = await attestInTime(deps, calling, signal);
  if (!deps.isSameProcess(peer)) throw new CallerGoneError("the caller ended while being attested");
  const relayed = findings.find((f) => f.isRelayed);
  if (relayed !== undefined) return relayedCaller(facts, relayed);
  const instance = instanceOf(facts);
  for (const each of findings) Object.assign(instance, each.instance);
  const undecided = findings.flatMap((f) => f.undecided);
  if (socketPod !== undefined && instance.podUid !== socketPod) {
    return { facts, instance, selectors: [], undecided, isForeign: true };
  }
  const selectors = findings.flatMap((f) => f.selectors);
  const path = selectors.find((s) => s.type === "unix" && s.value.startsWith("path:"));
  return {
    facts,
    instance,
    selectors,
    undecided,
    changed: findings.flatMap((f) => f.changed ?? []),
    ...(path && { executable: path.value.slice("path:".length) }),
  };
}

/** The workload behind a process that hands its calls on: of the process only that it runs, and who watches it, is of use. */
function relayedCaller(facts: ProcessFacts, found: Findings): AttestedCaller {
  const { uid, pid, startTime } = facts;
  const { instance, selectors, undecided, changed } = found;
  // One process may hand on the calls of several pods.
  const process = `${pid}@${startTime}@${instance?.podUid ?? ""}`;
  return {
    facts,
    instance: { uid, process, ...instance },
    selectors,
    undecided,
    changed: changed === undefined ? [] : [changed],
  };
}

function instanceOf({ uid, pid, startTime, cgroup }: ProcessFacts): InstanceFacts {
  return {
    uid,
    process: `${pid}@${startTime}`,
    ...(cgroup.containerPath && { containerId: cgroup.containerPath }),
    ...(cgroup.systemdUnit && { systemdUnit: cgroup.systemdUnit }),
  };
}

async function attestInTime(
  { attestors, timeLimitMs }: AttestDeps,
  caller: Caller,
  signal: AbortSignal,
): Promise<Findings[]> {
  using limited = new NarrowedSignal(signal);
  limited.limit(timeLimitMs);
  return await Promise.all(attestors.map((each) => attestWithin(each, caller, limited.signal)));
}

/** An attestor that fails or is late leaves its whole type undecided. */
async function attestWithin(
  attestor: WorkloadAttestor,
  caller: Caller,
  signal: AbortSignal,
): Promise<Findings> {
  try {
    return await untilAborted(attestor.attest(caller, signal), signal);
  } catch (err) {
    const reason = describeError(err);
    return {
      selectors: [],
      undecided: [{ type: attestor.type, prefixes: [], transient: true, reason }],
    };
  }
}
