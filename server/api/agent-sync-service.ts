import { AgentSync } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import { type AgentStreamDeps, serveAgent } from "../sync/agent-stream.ts";
import { agentOf, type Caller } from "./caller.ts";

/** assay.sync.v1.AgentSync. */
export function agentSyncService(deps: AgentStreamDeps): Registration<Caller> {
  return service<typeof AgentSync, Caller>(AgentSync, {
    sync: (requests, ctx) => serveAgent(deps, agentOf(ctx.caller).id, requests, ctx),
  });
}
