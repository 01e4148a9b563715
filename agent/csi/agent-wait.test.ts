import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Feed } from "../../runtime/feed.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import type { HolderStatus } from "../holder/holder.ts";
import { AgentWait } from "./agent-wait.ts";

const nothing: HolderStatus = { bound: false, agents: 0, agentSeen: false };
const { signal } = new AbortController();

function setUp(waitFor: "agent" | "socket") {
  const clock = new FakeClock();
  const status = new Feed(nothing);
  return { clock, status, wait: new AgentWait({ status, waitFor, timeoutMs: 1_000, clock }) };
}

describe("AgentWait", () => {
  it("ends when an agent has been seen, and at once for those that come later", async () => {
    const { status, wait } = setUp("agent");
    const first = wait.untilServed(signal);
    status.set({ ...nothing, bound: true });
    assert.equal(wait.waiting, 1);
    status.set({ bound: true, agents: 1, agentSeen: true });
    await first;
    // The agent may be away by then: who connects waits in the queue.
    status.set({ bound: true, agents: 0, agentSeen: true });
    await wait.untilServed(signal);
    assert.equal(wait.waiting, 0);
  });

  it("ends with the socket alone where that is enough", async () => {
    const { status, wait } = setUp("socket");
    status.set({ ...nothing, bound: true });
    await wait.untilServed(signal);
  });

  it("gives up in time, and says what is missing", async () => {
    const { clock, status, wait } = setUp("agent");
    const first = wait.untilServed(signal);
    const refused = assert.rejects(first, { code: 14, message: /^there is no workload socket/ });
    await clock.advance(1_000);
    await refused;
    status.set({ ...nothing, bound: true });
    const second = wait.untilServed(signal);
    const again = assert.rejects(second, { code: 14, message: /^no agent has served/ });
    await clock.advance(1_000);
    await again;
    assert.equal(wait.waiting, 0);
  });

  it("ends with whoever waits", async () => {
    const { wait } = setUp("agent");
    const gone = new AbortController();
    const waiting = wait.untilServed(gone.signal);
    gone.abort(new Error("gone"));
    await assert.rejects(waiting, { message: "gone" });
    assert.equal(wait.waiting, 0);
  });
});
