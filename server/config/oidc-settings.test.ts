import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../runtime/config/load.ts";
import { oidcConfigSchema } from "./oidc-settings.ts";

const listen = { type: "https_acme", domain: "o.test", tosAccepted: true, directory: "/d" };

function parse(...issuers: readonly string[]): unknown {
  const trustDomains = Object.fromEntries(issuers.map((issuer, i) => [`td${i}.test`, { issuer }]));
  return parseConfig(oidcConfigSchema, JSON.stringify({ trustDomains, listen }), "test");
}

test("a certificate by ACME is for the host of all issuers", () => {
  parse("https://o.test/one", "https://o.test/two");
  assert.throws(
    () => parse("https://o.test", "https://p.test"),
    /listen\.domain: expected p\.test, the host of the issuer https:\/\/p\.test/,
  );
});
