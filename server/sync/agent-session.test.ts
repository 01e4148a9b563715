import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgentSession } from "./agent-session.ts";

describe("AgentSession", () => {
  it("has something to send for a change that names no entry, so that it can be acknowledged", async () => {
    const session = new AgentSession({
      agentId: "spiffe://example.test/a",
      turn: 1,
      heartbeatSeconds: 30,
    });
    session.progress.sent(1n);
    session.progress.acknowledged("applied", 1n);
    session.entriesChanged(2n, []);
    assert.equal(session.progress.isBehind(2n, "applied"), true);
    await session.whenReady();
    assert.equal(session.pending.isEmpty, false);
    assert.deepEqual(session.pending.take().entryIds, []);
  });
});
