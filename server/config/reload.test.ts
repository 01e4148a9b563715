import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "../../runtime/config/load.ts";
import { applicableParts, compareConfigs } from "./reload.ts";
import { ROLES } from "./roles.ts";
import { type ServerConfig, serverConfigSchema } from "./server-config.ts";
import { SettingsInForce } from "./settings-in-force.ts";

const config = (text = ""): ServerConfig =>
  parseConfig(serverConfigSchema, `trustDomain: example.test\n${text}`, "test");

describe("compareConfigs", () => {
  it("finds nothing between equal configurations", () => {
    assert.deepEqual(compareConfigs(config(), config()), { applicable: [], needsRestart: [] });
  });

  it("tells what can be applied from what cannot, setting by setting", () => {
    const after = config(
      "log: {level: debug, format: text}\nlisten: {port: 9000}\nagents: {renewGrace: 1h, heartbeat: 5s}",
    );
    assert.deepEqual(compareConfigs(config(), after), {
      applicable: [
        { path: "agents.renewGrace", before: "86400000", after: "3600000" },
        { path: "log.level", before: '"info"', after: '"debug"' },
      ],
      needsRestart: [
        { path: "listen.port", before: "8081", after: "9000" },
        { path: "agents.heartbeat", before: "30000", after: "5000" },
        { path: "log.format", before: '"json"', after: '"text"' },
      ],
    });
  });

  it("compares lists as a whole, and knows what was not there", () => {
    const operator = "operators: [{id: 'spiffe://example.test/a', roles: [viewer]}]";
    const { applicable } = compareConfigs(config(), config(operator));
    assert.deepEqual(applicable, [
      {
        path: "operators",
        before: "[]",
        after: '[{"id":"spiffe://example.test/a","roles":["viewer"],"registrar":{}}]',
      },
    ]);
  });
});

describe("applicableParts", () => {
  it("takes exactly what compareConfigs calls applicable", () => {
    const before = config();
    const after = config(
      [
        "log: {level: debug, format: text}",
        "listen: {port: 9000}",
        "agents: {renewGrace: 1h, purgeExpiredAfter: 2d, heartbeat: 5s}",
        "limits: {maxConnections: 5, rates: {read: {burst: 7}}}",
        "entries: {require: {fields: [owner], mode: refuse}}",
        "nodeAttestors: {x509pop: {mode: spiffe}}",
        "adminSocket: {mode: '0600', users: [{uid: 5, roles: [viewer]}]}",
        "operators: [{id: 'spiffe://example.test/a', roles: [viewer]}]",
      ].join("\n"),
    );
    const next = applicableParts(before, after);
    const { applicable, needsRestart } = compareConfigs(before, after);
    assert.deepEqual(compareConfigs(before, next).applicable, applicable);
    assert.deepEqual(compareConfigs(before, next).needsRestart, []);
    assert.deepEqual(compareConfigs(next, after), { applicable: [], needsRestart });
  });
});

describe("SettingsInForce", () => {
  it("gives root and the server's own user every role unless the file names users", () => {
    const settings = new SettingsInForce(config(), 500);
    assert.equal(settings.grantsOfUser(0)?.roles.size, ROLES.length);
    assert.equal(settings.grantsOfUser(500)?.roles.size, ROLES.length);
    assert.equal(settings.grantsOfUser(501), undefined);
    settings.replace(config("adminSocket: {users: [{uid: 501, roles: [viewer]}]}"));
    assert.deepEqual([...(settings.grantsOfUser(501)?.roles ?? [])], ["viewer"]);
    assert.equal(settings.grantsOfUser(0), undefined);
  });

  it("gives identities nothing unless the file names them", () => {
    const id = "spiffe://example.test/a";
    const settings = new SettingsInForce(config(), 0);
    assert.equal(settings.grantsOfId(id).roles.size, 0);
    settings.replace(config(`operators: [{id: '${id}', roles: [all]}]`));
    assert.equal(settings.grantsOfId(id).roles.size, ROLES.length);
  });
});
