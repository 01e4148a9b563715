import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { AgentSession } from "./agent-session.ts";
import { ConnectedAgents } from "./connected-agents.ts";
import { runHeartbeats } from "./heartbeats.ts";

const INTERVAL = 3;

const start = (count: number) => {
  const clock = new FakeClock();
  const agents = new ConnectedAgents();
  const sessions = Array.from({ length: count }, (_, i) => {
    const session = new AgentSession({
      agentId: `spiffe://example.test/spire/agent/${i}`,
      turn: agents.nextTurn(),
      nowMs: clock.monotonicMs(),
    });
    agents.add(session);
    return session;
  });
  let asked = 0;
  const stop = new AbortController();
  const running = runHeartbeats(
    {
      agents,
      intervalSeconds: INTERVAL,
      content: () => {
        asked += 1;
        return { revocationEpoch: 0n, serverTimeMs: 0n };
      },
      clock,
    },
    stop.signal,
  );
  const tick = async (): Promise<number[]> => {
    await clock.whenSleeping();
    await clock.advance(1_000);
    return sessions.map((session) => session.takeQueued().length);
  };
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { sessions, tick, end, asked: () => asked, clock };
};

describe("runHeartbeats", () => {
  it("serves each agent once per interval, spread over its seconds", async () => {
    const { sessions, tick, end } = start(6);
    const counts = sessions.map(() => 0);
    for (let second = 0; second < 2 * INTERVAL; second++) {
      const sent = await tick();
      assert.equal(
        sent.reduce((sum, one) => sum + one, 0),
        2,
      );
      for (const [index, one] of sent.entries()) counts[index] = (counts[index] ?? 0) + one;
      for (const session of sessions) session.lastHeardMs += 1_000;
    }
    assert.deepEqual(counts, [2, 2, 2, 2, 2, 2]);
    await end();
  });

  it("makes one message for all whose turn it is", async () => {
    const { tick, end, asked } = start(300);
    await tick();
    assert.equal(asked(), 1);
    await end();
  });

  it("keeps no backlog for an agent that does not read", async () => {
    const { sessions, tick, end } = start(1);
    const [session] = sessions;
    let sent = 0;
    for (let second = 0; second < 4 * INTERVAL; second++) {
      if (session !== undefined) session.lastHeardMs += 1_000;
      [sent = 0] = await tick();
      assert.ok(sent <= 1);
    }
    await end();
  });

  it("ends the stream of an agent that has fallen silent", async () => {
    const { sessions, tick, end } = start(2);
    const [silent, alive] = sessions;
    for (let second = 0; second < 5 * INTERVAL; second++) {
      if (alive !== undefined) alive.lastHeardMs += 1_000;
      await tick();
    }
    assert.equal(silent?.signal.aborted, true);
    assert.equal(silent?.signal.reason.message, "agent has fallen silent");
    assert.equal(alive?.signal.aborted, false);
    await end();
  });
});
