import { create } from "@bufbuild/protobuf";
import {
  type ServerHeartbeat,
  type ServerMessage,
  ServerMessageSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { unavailable } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ConnectedAgents } from "./connected-agents.ts";

/** What the heartbeat needs. */
export interface HeartbeatDeps {
  readonly agents: ConnectedAgents;
  /** How often each agent hears from us, in whole seconds. */
  readonly intervalSeconds: number;
  /** What there is to say at this moment. */
  readonly content: () => Omit<ServerHeartbeat, "$typeName">;
  readonly clock: Clock;
}

/** An agent that has said nothing for this many intervals is gone. */
const SILENT_INTERVALS = 3;

/**
 * Sends signs of life to all agents, and ends the streams of those that give none. One loop with one timer for all: each second it
 * serves those whose turn it is, and all of them get the same message.
 */
export async function runHeartbeats(deps: HeartbeatDeps, signal: AbortSignal): Promise<void> {
  const { agents, clock, intervalSeconds } = deps;
  for (let tick = 0; !signal.aborted; tick++) {
    await clock.sleep(1_000, signal);
    const turn = tick % intervalSeconds;
    let message: ServerMessage | undefined;
    const oldestMs = clock.monotonicMs() - SILENT_INTERVALS * intervalSeconds * 1000;
    for (const session of agents.all()) {
      if (session.turn % intervalSeconds !== turn) continue;
      if (session.lastHeardMs < oldestMs) {
        session.end(unavailable("agent has fallen silent"));
        continue;
      }
      message ??= create(ServerMessageSchema, {
        message: { case: "heartbeat", value: deps.content() },
      });
      session.sendHeartbeat(message);
    }
  }
}
