/**
 * The agent's admin service: what this node knows and why it refuses. It changes nothing.
 */
import { readlink } from "node:fs/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AgentAdmin,
  ExplainProcessRequest,
  ExplainProcessResponseSchema,
  GetInfoResponseSchema,
  ListRefusalsRequest,
  ListRefusalsResponseSchema,
} from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import type { WorkloadViews } from "../cache/workload-view.ts";
import type { AttestedCaller } from "../workload-attestation/attest.ts";
import { refusalMessage } from "./refusal-message.ts";
import type { Refusals } from "./refusals.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

/** What the agent as a whole can tell about itself; the composition root knows it. */
export type AgentInfo = MessageInitShape<typeof GetInfoResponseSchema>;

export interface AgentAdminDeps {
  readonly views: WorkloadViews;
  readonly attestProcess: (pid: number, signal: AbortSignal) => Promise<AttestedCaller>;
  readonly refusals: Refusals;
  readonly info: () => AgentInfo;
}

export class AgentAdminService implements Handlers<typeof AgentAdmin, WorkloadPeer> {
  readonly #deps: AgentAdminDeps;

  constructor(deps: AgentAdminDeps) {
    this.#deps = deps;
  }

  async getInfo(): Promise<AgentInfo> {
    return this.#deps.info();
  }

  async explainProcess(
    request: ExplainProcessRequest,
    call: CallContext<WorkloadPeer>,
  ): Promise<MessageInitShape<typeof ExplainProcessResponseSchema>> {
    const { pid } = request;
    if (pid <= 0) throw invalidArgument("pid must be positive");
    const { views, attestProcess, info } = this.#deps;
    const caller = await attestProcess(pid, call.signal);
    const { revision, connected } = views.status.value;
    return {
      agentId: info().agentId ?? "",
      selectors: [...caller.selectors],
      undecided: caller.undecided.map(({ type, prefixes, transient, reason }) => ({
        type,
        prefixes: [...prefixes],
        transient,
        reason,
      })),
      executable: caller.executable ?? (await readlink(`/proc/${pid}/exe`).catch(() => "")),
      uid: caller.facts.uid,
      spiffeIds: views.granted(caller).map(({ spiffeId }) => spiffeId),
      revision,
      connected,
    };
  }

  async listRefusals(
    request: ListRefusalsRequest,
  ): Promise<MessageInitShape<typeof ListRefusalsResponseSchema>> {
    const { refusals, views } = this.#deps;
    const { revision } = views.status.value;
    return {
      refusals: refusals
        .latest(request.limit || undefined)
        .map((refusal) => refusalMessage(refusal, revision)),
    };
  }
}
