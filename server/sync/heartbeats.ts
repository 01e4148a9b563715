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
  /** How often each agent hears from us while there are few of them, in whole seconds. */
  readonly leastSeconds: () => number;
  /** What there is to say at this moment. */
  readonly content: () => Omit<ServerHeartbeat, "$typeName" | "nextHeartbeatSeconds">;
  readonly clock: Clock;
}

/** The interval grows until no more than this many agents are served a second. */
const AGENTS_PER_SECOND = 20;
/** The interval does not grow beyond this: no agent's view looks old, and a hung process is noticed in ten minutes. */
const MAX_SECONDS = 480;
/** An agent that owes a sign of life for this many of the shortest intervals is gone. */
const SILENT_INTERVALS = 2;

/**
 * How often each of `count` agents is told a sign of life, in seconds: the shortest interval, doubled until the server has few
 * enough to tell each second.
 */
export function heartbeatInterval(leastSeconds: number, count: number): number {
  let seconds = leastSeconds;
  while (seconds * AGENTS_PER_SECOND < count && seconds * 2 <= MAX_SECONDS) seconds *= 2;
  return seconds;
}

/**
 * Sends signs of life to all agents, and ends the streams of those that give none. One loop with one timer for all: each second it
 * serves those whose turn it is, and all of them get the same message.
 */
export async function runHeartbeats(deps: HeartbeatDeps, signal: AbortSignal): Promise<void> {
  const { agents, clock } = deps;
  while (!signal.aborted) {
    await clock.sleep(1_000, signal);
    const nowMs = clock.monotonicMs();
    const second = Math.floor(nowMs / 1_000);
    const leastSeconds = deps.leastSeconds();
    const seconds = heartbeatInterval(leastSeconds, agents.size);
    const oldestMs = nowMs - SILENT_INTERVALS * leastSeconds * 1_000;
    let message: ServerMessage | undefined;
    for (const session of agents.all()) {
      if ((session.unansweredSinceMs ?? nowMs) < oldestMs) {
        session.end(unavailable("agent has fallen silent"));
        continue;
      }
      session.heartbeatDue ??= turnAfter(second - 1, session.turn, session.heartbeatSeconds);
      if (session.heartbeatDue > second) continue;
      // Fixed together with what the agent is told: a longer interval holds only for those that have heard of it.
      session.heartbeatSeconds = session.answersHeartbeats ? seconds : leastSeconds;
      session.heartbeatDue = turnAfter(second, session.turn, session.heartbeatSeconds);
      message ??= create(ServerMessageSchema, {
        message: { case: "heartbeat", value: { ...deps.content(), nextHeartbeatSeconds: seconds } },
      });
      session.sendHeartbeat(message, nowMs);
    }
  }
}

/** The first second after `second` that is the turn's in an interval: turns that follow each other share it out evenly. */
function turnAfter(second: number, turn: number, seconds: number): number {
  const ahead = (turn - second) % seconds;
  return second + (ahead > 0 ? ahead : ahead + seconds);
}
