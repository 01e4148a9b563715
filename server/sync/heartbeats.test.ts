import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { AgentSession } from "./agent-session.ts";
import { ConnectedAgents } from "./connected-agents.ts";
import { heartbeatInterval, runHeartbeats } from "./heartbeats.ts";

const INTERVAL = 3;

const start = (count: number, answersHeartbeats = true) => {
  const clock = new FakeClock();
  const agents = new ConnectedAgents();
  const sessions = Array.from({ length: count }, (_, i) => {
    const session = new AgentSession({
      agentId: `spiffe://example.test/spire/agent/${i}`,
      turn: agents.nextTurn(),
      answersHeartbeats,
      heartbeatSeconds: INTERVAL,
    });
    agents.add(session);
    return session;
  });
  let asked = 0;
  const stop = new AbortController();
  const running = runHeartbeats(
    {
      agents,
      leastSeconds: () => INTERVAL,
      content: () => {
        asked += 1;
        return { revocationEpoch: 0n, serverTimeMs: 0n };
      },
      clock,
    },
    stop.signal,
  );
  /** Lets a second pass; tells what each agent was sent in it, in seconds until the next one. */
  const tick = async (): Promise<(number | undefined)[]> => {
    await clock.whenSleeping();
    await clock.advance(1_000);
    return sessions.map((session) => {
      const queued = session.takeQueued();
      assert.ok(queued.length <= 1);
      const message = queued[0]?.message;
      return message?.case === "heartbeat" ? message.value.nextHeartbeatSeconds : undefined;
    });
  };
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { agents, sessions, tick, end, asked: () => asked, clock };
};

describe("runHeartbeats", () => {
  it("serves each agent once per interval, spread over its seconds", async () => {
    const { sessions, tick, end } = start(6);
    const counts = sessions.map(() => 0);
    for (let second = 0; second < 2 * INTERVAL; second++) {
      const sent = await tick();
      assert.equal(sent.filter((next) => next === INTERVAL).length, 2);
      for (const [index, next] of sent.entries()) {
        if (next !== undefined) counts[index] = (counts[index] ?? 0) + 1;
      }
      for (const session of sessions) session.heard();
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
    const { sessions, clock, end } = start(1);
    const [session] = sessions;
    for (let round = 0; round < 4; round++) {
      for (let second = 0; second < INTERVAL; second++) {
        session?.heard();
        await clock.whenSleeping();
        await clock.advance(1_000);
      }
      assert.equal(session?.takeQueued().length, 1);
    }
    await end();
  });

  it("ends the stream of an agent that has fallen silent", async () => {
    const { sessions, tick, end } = start(2);
    const [silent, alive] = sessions;
    for (let second = 0; second < 5 * INTERVAL; second++) {
      await tick();
      alive?.heard();
    }
    assert.equal(silent?.signal.aborted, true);
    assert.equal(silent?.signal.reason.message, "agent has fallen silent");
    assert.equal(alive?.signal.aborted, false);
    await end();
  });

  it("serves many agents more rarely, as many each second, and none later than it was told", async () => {
    const { sessions, tick, end } = start(600);
    const promised = sessions.map(() => INTERVAL);
    for (let second = 1; second <= 150; second++) {
      const sent = await tick();
      for (const [index, next] of sent.entries()) {
        assert.ok(second <= (promised[index] ?? 0), `agent ${index} in second ${second}`);
        if (next !== undefined) promised[index] = second + next;
      }
      const count = sent.filter((next) => next !== undefined).length;
      if (second > 48) assert.ok(count === 12 || count === 13, `${count} in second ${second}`);
      for (const session of sessions) session.heard();
    }
    await end();
  });

  it("serves agents that do not answer as often as ever, however many there are", async () => {
    const { sessions, tick, end } = start(600, false);
    for (let second = 0; second < 12; second++) {
      const sent = await tick();
      assert.equal(sent.filter((next) => next !== undefined).length, 200);
      for (const session of sessions) session.heard();
    }
    await end();
  });

  it("ends the stream of a silent agent soon after it was told, however rarely that is", async () => {
    const { sessions, tick, end } = start(600);
    for (let second = 0; second < 100; second++) {
      await tick();
      for (const session of sessions.slice(1)) session.heard();
    }
    assert.equal(sessions.filter(({ signal }) => signal.aborted).length, 1);
    assert.equal(sessions[0]?.signal.aborted, true);
    await end();
  });
});

describe("heartbeatInterval", () => {
  for (const [least, count, seconds] of [
    [30, 0, 30],
    [30, 600, 30],
    [30, 601, 60],
    [30, 2_000, 120],
    [30, 10_000, 480],
    [30, 1_000_000, 480],
    [1, 10_000, 256],
    [900, 1_000_000, 900],
  ] as const) {
    it(`is ${seconds} s with ${count} agents and at least ${least} s`, () => {
      assert.equal(heartbeatInterval(least, count), seconds);
    });
  }
});
