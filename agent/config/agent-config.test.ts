import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, parseConfig } from "../../runtime/config/load.ts";
import { agentConfigSchema } from "./agent-config.ts";

const SMALLEST = `
trustDomain: example.test
servers: ["127.0.0.1:8081"]
trustBundle: { path: /etc/assay/bundle.pem }
nodeAttestor: { join_token: { tokenFile: /run/token } }
`;

const problemsOf = (text: string): string[] => {
  try {
    parseConfig(agentConfigSchema, text, "agent.yaml");
  } catch (err) {
    assert.ok(err instanceof ConfigError);
    return err.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
};

describe("agentConfigSchema", () => {
  it("fills in what a small file leaves out", () => {
    const config = parseConfig(agentConfigSchema, SMALLEST, "agent.yaml");
    assert.equal(config.state.path, "/run/assay/agent/state");
    assert.equal(config.state.insecureDisk, false);
    assert.equal(config.workloadSocket.path, "/run/assay/agent/api.sock");
    assert.equal(config.workloadSocket.mode, 0o777);
    assert.equal(config.waitForIdentity, 800);
    assert.deepEqual(config.nodeAttestor, { join_token: { tokenFile: "/run/token" } });
  });

  it("knows where a pod has its token", () => {
    const text = SMALLEST.replace(/join_token: .*/, "k8s_psat: { cluster: east } }");
    assert.deepEqual(parseConfig(agentConfigSchema, text, "agent.yaml").nodeAttestor, {
      k8s_psat: { cluster: "east", tokenFile: "/var/run/secrets/tokens/assay-agent" },
    });
  });

  const refused: readonly { name: string; line: string; problem: string }[] = [
    {
      name: "two sources of trust",
      line: "trustBundle: { path: a, insecure: true }",
      problem: "trustBundle: expected exactly one of path, inline, url and insecure",
    },
    {
      name: "a bundle over http without a pin",
      line: "trustBundle: { url: 'http://bundle.test/b' }",
      problem: "trustBundle.url: expected https, or sha256",
    },
    {
      name: "two attestors",
      line: "nodeAttestor: { join_token: { token: t }, x509pop: { certificate: c, key: k } }",
      problem: "nodeAttestor: expected exactly one of join_token, x509pop and k8s_psat",
    },
    {
      name: "no attestor",
      line: "nodeAttestor: {}",
      problem: "nodeAttestor: expected exactly one of join_token, x509pop and k8s_psat",
    },
    {
      name: "a token twice",
      line: "nodeAttestor: { join_token: { token: t, tokenFile: f } }",
      problem: "nodeAttestor.join_token: expected exactly one of token and tokenFile",
    },
    {
      name: "a server without port",
      line: "servers: [localhost]",
      problem: 'servers[0]: expected "host:port"',
    },
    {
      name: "one path for two sockets",
      line: "adminSocket: { path: /run/assay/agent/api.sock }",
      problem: "adminSocket.path: expected another path than workloadSocket.path",
    },
    {
      name: "a wait beyond ordinary deadlines",
      line: "waitForIdentity: 1m",
      problem: "waitForIdentity: expected at most 10s",
    },
  ];
  for (const { name, line, problem } of refused) {
    it(`refuses ${name}`, () => {
      const [key = ""] = line.split(":");
      const rest = SMALLEST.split("\n").filter((other) => !other.startsWith(key));
      assert.deepEqual(problemsOf([...rest, line].join("\n")), [problem]);
    });
  }
});
