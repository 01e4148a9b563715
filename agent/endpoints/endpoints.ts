/**
 * Everything that this node offers locally: the Workload API and the admin socket, with what both need
 * to know who is calling.
 */

import type { Refusal as RefusalMessage } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import { isSameProcess } from "../../runtime/peer/process-watch.ts";
import type { UnixEndpoint } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Rate } from "../../runtime/time/token-buckets.ts";
import type { WorkloadViews } from "../cache/workload-view.ts";
import type { DelegationSettings } from "../config/delegation-settings.ts";
import type { SdsSettings } from "../config/sds-settings.ts";
import type { LimitSettings } from "../config/serving-settings.ts";
import { type AttestDeps, attestCaller } from "../workload-attestation/attest.ts";
import type { OpenAttestors } from "../workload-attestation/open-attestors.ts";
import { AdminEndpoint } from "./admin-endpoint.ts";
import type { AgentInfo } from "./agent-admin.ts";
import { attestProcess } from "./attest-process.ts";
import { CallerLimits } from "./caller-limits.ts";
import { BrokerEndpoint, type BrokerEndpointDeps } from "./delegation/broker-endpoint.ts";
import { type ExplainDeps, explainToServer } from "./explain-to-server.ts";
import { type OnRefused, type Refusal, Refusals } from "./refusals.ts";
import { NO_COUNTERS, type WorkloadCounters } from "./workload-counters.ts";
import { WorkloadEndpoint } from "./workload-endpoint.ts";
import type { WorkloadSessionDeps } from "./workload-session.ts";

export interface EndpointsDeps {
  /** Absent when others will say what to listen on. */
  readonly workloadSocket?: UnixEndpoint | undefined;
  readonly adminSocket: UnixEndpoint;
  /** User IDs that may use the admin socket. */
  readonly adminUids: ReadonlySet<number>;
  readonly limits: LimitSettings;
  readonly sds: SdsSettings;
  readonly delegation: DelegationSettings;
  /** Absent unless brokers may call. */
  readonly broker?: BrokerOptions | undefined;
  readonly waitForIdentityMs: number;
  readonly views: WorkloadViews;
  readonly attestation: Pick<OpenAttestors, "attestors" | "explaining">;
  readonly info: () => AgentInfo;
  /** Told of refusals, for the audit. */
  readonly onRefused?: OnRefused;
  readonly counters?: WorkloadCounters;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** What serving brokers takes. */
export interface BrokerOptions
  extends Pick<BrokerEndpointDeps, "endpoint" | "trustDomain" | "tls" | "maxStreams"> {
  /** SPIFFE IDs. */
  readonly brokers: readonly string[];
  /** How often one of them may call. */
  readonly rate: Rate;
}

const attestationTimeLimitMs = 5_000;

export class Endpoints implements AsyncDisposable {
  readonly #explanations: ExplainDeps;
  readonly #workloads: WorkloadEndpoint;
  readonly #opened: AsyncDisposableStack;

  /** Listens on the sockets that are given when it returns. */
  static async open(deps: EndpointsDeps): Promise<Endpoints> {
    const { views, limits, log, clock, random } = deps;
    const counters = deps.counters ?? NO_COUNTERS;
    const onRefused: OnRefused = (refusal, suppressed) => {
      logRefusal(log, refusal, suppressed);
      deps.onRefused?.(refusal, suppressed);
    };
    const refusals = new Refusals(clock, onRefused, counters.refused);
    const attestation: AttestDeps = {
      attestors: deps.attestation.attestors,
      timeLimitMs: attestationTimeLimitMs,
      isSameProcess,
    };
    const explaining = { ...attestation, attestors: deps.attestation.explaining };
    const session: WorkloadSessionDeps = {
      attest: (peer, signal) => attestCaller(attestation, peer, signal),
      isPresent: ({ credentials }) => isSameProcess(credentials),
      waitForIdentityMs: deps.waitForIdentityMs,
      views,
      refusals,
      counters,
      clock,
    };
    const limitsWith = (streamsPerCaller: number, allowed?: Rate): CallerLimits =>
      new CallerLimits({
        ...(allowed && { rate: { allowed, clock } }),
        connectionsPerCaller: limits.maxConnectionsPerCaller,
        streamsPerCaller,
        callsPerCaller: limits.maxCallsPerCaller,
      });
    await using opening = new AsyncDisposableStack();
    const workloads = opening.use(
      new WorkloadEndpoint({
        ...session,
        counters,
        sds: deps.sds,
        maxConnections: limits.maxConnections,
        maxStreams: limits.maxStreamsPerCaller + limits.maxCallsPerCaller,
        maxMessageBytes: limits.maxMessageBytes,
        limits: limitsWith(limits.maxStreamsPerCaller),
        log: log.child({ component: "workload_api" }),
        random,
      }),
    );
    if (deps.workloadSocket) opening.use(await workloads.listen(deps.workloadSocket));
    const { delegates, maxStreams, rate } = deps.delegation;
    opening.use(
      await AdminEndpoint.open({
        endpoint: deps.adminSocket,
        adminUids: deps.adminUids,
        delegation:
          delegates.length === 0
            ? undefined
            : {
                ...session,
                delegates: new Set(delegates),
                limits: limitsWith(maxStreams, rate),
                maxStreams: maxStreams + limits.maxCallsPerCaller,
              },
        attestProcess: (pid, signal) => attestProcess(explaining, pid, signal),
        views,
        refusals,
        info: deps.info,
        log: log.child({ component: "agent_admin" }),
        clock,
        random,
      }),
    );
    const { broker } = deps;
    if (broker !== undefined) {
      opening.use(
        await BrokerEndpoint.open({
          ...session,
          ...broker,
          brokers: new Set(broker.brokers),
          limits: limitsWith(broker.maxStreams, broker.rate),
          maxStreams: broker.maxStreams + limits.maxCallsPerCaller,
          maxMessageBytes: limits.maxMessageBytes,
          log: log.child({ component: "broker_api" }),
          random,
        }),
      );
    }
    const explanations = { refusals, views, attestation: explaining, clock };
    return new Endpoints(explanations, workloads, opening.move());
  }

  private constructor(
    explanations: ExplainDeps,
    workloads: WorkloadEndpoint,
    opened: AsyncDisposableStack,
  ) {
    this.#explanations = explanations;
    this.#workloads = workloads;
    this.#opened = opened;
  }

  /** Serves the Workload API on one more socket, until what it returns is disposed of. @param socketPod see {@link WorkloadPeer} */
  listenForWorkloads(endpoint: UnixEndpoint, socketPod?: string): Promise<AsyncDisposable> {
    return this.#workloads.listen(endpoint, socketPod);
  }

  /** See {@link explainToServer}. */
  explain(pid: number, signal: AbortSignal): Promise<readonly RefusalMessage[]> {
    return explainToServer(this.#explanations, pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

function logRefusal(
  log: Logger,
  { reason, pid, uid, caller, delegateId, cause }: Refusal,
  suppressed: number,
): void {
  log.info(
    {
      component: "workload_api",
      reason_code: reason,
      caller_pid: pid,
      caller_uid: uid,
      executable: caller?.executable,
      delegate_id: delegateId,
      ...(reason === "attestor_failed" && { detail: openQuestions(caller) }),
      suppressed,
      ...(cause === undefined ? {} : { err: cause }),
    },
    "Refused workload",
  );
}

/** Why something could not be found out about a caller for now. */
function openQuestions(caller: Refusal["caller"]): string {
  const open = caller?.undecided.filter(({ transient }) => transient) ?? [];
  return [...new Set(open.map(({ reason }) => reason))].join("; ");
}
