import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { refused } from "../../test/support/refused.ts";
import { AgentSchema } from "../gen/spire/api/types/agent_pb.ts";
import { type AgentFields, decodeAgentVersion, encodeAgent } from "./agent.ts";

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
  it("writes what the record says", () => {
    assert.deepEqual(
      encodeAgent(agent),
      create(AgentSchema, {
        id: { trustDomain: "example.test", path: "/spire/agent/x509pop/a" },
        attestationType: "x509pop",
        x509svidSerialNumber: "2571",
        x509svidExpiresAt: 60n,
        selectors: [{ type: "x509pop", value: "subject:cn:node" }],
        canReattest: true,
        agentVersion: "1.0",
      }),
    );
  });

  it("writes no serial number for a banned agent", () => {
    assert.equal(encodeAgent({ ...agent, serialNumberHex: "" }).x509svidSerialNumber, "");
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
