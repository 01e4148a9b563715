import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { refused } from "../../test/support/refused.ts";
import { AgentSchema } from "../gen/spire/api/types/agent_pb.ts";
import { type AgentFields, decodeAgent, decodeAgentVersion, encodeAgent } from "./agent.ts";

const agent: AgentFields = {
  id: SpiffeId.parse("spiffe://example.test/spire/agent/x509pop/a"),
  attestationType: "x509pop",
  serialNumberHex: "0a0b",
  expiresAt: new Date(60_000),
  selectors: [{ type: "x509pop", value: "subject:cn:node" }],
  banned: false,
  canReattest: true,
  agentVersion: "1.0",
};

describe("encodeAgent", () => {
  it("writes the serial number in decimal, and nothing for a banned agent's", () => {
    assert.equal(encodeAgent(agent).x509svidSerialNumber, "2571");
    assert.equal(encodeAgent({ ...agent, serialNumberHex: "" }).x509svidSerialNumber, "");
  });
});

describe("decodeAgent", () => {
  it("reads what encodeAgent wrote", () => {
    const { id, ...rest } = decodeAgent("agent", encodeAgent(agent));
    assert.ok(id.equals(agent.id));
    assert.deepEqual({ id: agent.id, ...rest }, agent);
  });

  it("takes a serial number that is none for absent", () => {
    for (const x509svidSerialNumber of ["-1", "0x1f", "1".repeat(50)]) {
      const message = create(AgentSchema, { ...encodeAgent(agent), x509svidSerialNumber });
      assert.equal(decodeAgent("agent", message).serialNumberHex, "");
    }
  });
});

describe("decodeAgentVersion", () => {
  it("bounds what an agent says about itself", () => {
    assert.equal(decodeAgentVersion("agent_version", "1.0"), "1.0");
    assert.throws(
      () => decodeAgentVersion("agent_version", "x".repeat(256)),
      refused("agent_version: must not be longer than 255 bytes"),
    );
  });
});
