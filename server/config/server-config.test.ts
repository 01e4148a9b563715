import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, parseConfig } from "../../runtime/config/load.ts";
import { type ServerConfig, serverConfigSchema } from "./server-config.ts";

const parse = (text: string): ServerConfig =>
  parseConfig(serverConfigSchema, `trustDomain: example.test\n${text}`, "server.yaml");

const problemsOf = (text: string): readonly string[] => {
  try {
    parse(text);
  } catch (err) {
    assert.ok(err instanceof ConfigError);
    return err.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
};

describe("serverConfigSchema", () => {
  it("needs a trust domain and nothing else", () => {
    const config = parse("");
    assert.equal(config.listen.port, 8081);
    assert.equal(config.listen.tls.minVersion, "1.3");
    assert.equal(config.adminSocket.mode, 0o660);
    assert.equal(config.ca.authorityTtl, 7 * 86_400_000);
    assert.equal(config.ca.x509SvidTtl, 3_600_000);
    assert.equal(config.ca.jwtSvidTtl, 300_000);
    assert.equal(config.agents.renewGrace, 86_400_000);
    assert.deepEqual(config.nodeAttestors, { join_token: {} });
    assert.equal(config.limits.maxMessageBytes, 4 * 1024 * 1024);
  });

  const refused: readonly { name: string; text: string; problem: string }[] = [
    {
      name: "a lifetime that no authority lasts for",
      text: "ca: {authorityTtl: 3d, agentTtl: 13h}",
      problem:
        "ca.agentTtl: expected at most 12h, a sixth of ca.authorityTtl: the authority in use may have no more left",
    },
    {
      name: "two kinds of keys for one algorithm",
      text: "ca: {jwtKeyTypes: [ec-p256, rsa-2048, rsa-4096]}",
      problem: "ca.jwtKeyTypes[2]: expected one kind of key for RS256",
    },
    {
      name: "kinds of keys written both ways",
      text: "ca: {jwtKeyType: rsa-2048, jwtKeyTypes: [ec-p256]}",
      problem: "ca.jwtKeyType: expected jwtKeyTypes or jwtKeyType, not both",
    },
    {
      name: "an audience that wants what no authority signs with",
      text: "jwt: {audiences: {'api://AzureADTokenExchange': {algorithm: RS256}}}",
      problem:
        "jwt.audiences.api://AzureADTokenExchange.algorithm: expected ES256, as ca.jwtKeyTypes",
    },
    {
      name: "discovery for tokens that name no issuer",
      text: "oidc: {listen: {type: socket, path: /run/oidc.sock}}",
      problem: "ca.jwtIssuer: expected an issuer, since there is oidc",
    },
    {
      name: "documents that caches keep longer than a new key is announced",
      text: "ca: {jwtIssuer: 'https://o.test', authorityTtl: 2h, jwtSvidTtl: 5m, x509SvidTtl: 20m, agentTtl: 20m}\noidc: {listen: {type: socket, path: /run/oidc.sock}, maxAge: 1h}",
      problem:
        "oidc.maxAge: expected at most a sixth of ca.authorityTtl: a key is published a third before it signs",
    },
    {
      name: "discovery of keys that no token is signed with",
      text: "ca: {jwtIssuer: 'https://o.test', jwtKeyTypes: [ec-p384]}\noidc: {listen: {type: socket, path: /run/oidc.sock}}",
      problem: "oidc.algorithms: expected ES384, as ca.jwtKeyTypes",
    },
    {
      name: "a certificate by ACME for another name than the issuer's",
      text: "ca: {jwtIssuer: 'https://o.test:8443'}\noidc: {listen: {type: https_acme, domain: p.test, tosAccepted: true, directory: /d}}",
      problem: "oidc.listen.domain: expected o.test, the host of the issuer https://o.test:8443",
    },
    {
      name: "a name instead of an address",
      text: "listen: {address: localhost}",
      problem: "listen.address: expected an IP address",
    },
    {
      name: "an operator of another trust domain",
      text: "operators: [{id: 'spiffe://other.test/x', roles: [viewer]}]",
      problem: "operators[0].id: expected an ID in trust domain example.test",
    },
    {
      name: "an operator with a reserved ID",
      text: "operators: [{id: 'spiffe://example.test/spire/agent/x', roles: [viewer]}]",
      problem: "operators[0].id: expected an ID with a path that does not begin with /spire",
    },
    {
      name: "a user that is named twice",
      text: "adminSocket: {users: [{uid: 1, roles: [viewer]}, {uid: 1, roles: [all]}]}",
      problem: "adminSocket.users[1].uid: expected each user once",
    },
    {
      name: "a registrar for agents that are known by their pods",
      text: "nodeAttestors: {k8s_psat: {clusters: {one: {serviceAccounts: ['a:b'], agentIdBy: pod}}}}\nregistrar: {clusters: {one: {}}}",
      problem:
        'nodeAttestors.k8s_psat.clusters.one.agentIdBy: expected "node", because the registrar writes entries for agents by node',
    },
    {
      name: "x509pop without a CA",
      text: "nodeAttestors: {x509pop: {}}",
      problem:
        "nodeAttestors.x509pop.caBundle: expected a file in path mode, and none in spiffe mode",
    },
    {
      name: "a template that gives all nodes one ID",
      text: "nodeAttestors: {x509pop: {caBundle: /ca.pem, agentPathTemplate: /node}}",
      problem:
        "nodeAttestors.x509pop.agentPathTemplate: expected a placeholder: two nodes must not get the same ID",
    },
    {
      name: "a template with an unknown placeholder",
      text: "nodeAttestors: {x509pop: {caBundle: /ca.pem, agentPathTemplate: '/{host}'}}",
      problem: 'nodeAttestors.x509pop.agentPathTemplate: unknown placeholder "{host}"',
    },
    {
      name: "an unknown key",
      text: "listen: {adress: 127.0.0.1}",
      problem: 'listen.adress: unknown key, did you mean "address"?',
    },
  ];
  for (const { name, text, problem } of refused) {
    it(`refuses ${name}`, () => assert.deepEqual(problemsOf(text), [problem]));
  }
});
