import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { issuerProblem } from "./issuer-url.ts";

describe("issuerProblem", () => {
  for (const issuer of [
    "https://oidc.example.org",
    "https://oidc.example.org:8443",
    "https://example.org/trust/prod",
  ]) {
    it(`takes ${issuer}`, () => assert.equal(issuerProblem(issuer), undefined));
  }

  for (const [issuer, problem] of [
    ["http://oidc.example.org", "expected an https URL"],
    ["oidc.example.org", "expected an https URL"],
    ["", "expected an https URL"],
    ["https://u@oidc.example.org", "expected no user"],
    ["https://oidc.example.org/", "expected no slash at its end"],
    ["https://oidc.example.org?x", "expected no query and no fragment"],
    ["https://oidc.example.org#x", "expected no query and no fragment"],
    ["https://OIDC.example.org", 'expected "https://oidc.example.org"'],
    ["https://oidc.example.org:443", 'expected "https://oidc.example.org"'],
    ["https://oidc.example.org/a/../b", 'expected "https://oidc.example.org/b"'],
    ["https://oidc.example.org/a b", 'expected "https://oidc.example.org/a%20b"'],
  ] as const) {
    it(`refuses ${JSON.stringify(issuer)}`, () => assert.equal(issuerProblem(issuer), problem));
  }
});
