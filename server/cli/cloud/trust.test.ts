import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { awsTrust, azureTrust, gcpTrust, TrustProblem } from "./trust.ts";

const request = {
  issuer: "https://oidc.example.org",
  spiffeId: "spiffe://example.org/backend",
  audience: "sts.amazonaws.com",
};
const pool = { project: "123456789", pool: "assay", provider: "example-org" };
const long = (length: number) => ({
  ...request,
  spiffeId: `spiffe://example.org/${"x".repeat(length)}`,
});

describe("awsTrust", () => {
  it("trusts one subject for one audience", () => {
    const { content } = awsTrust(request, { account: "123456789012", partition: "aws" });
    assert.deepEqual(content, {
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Principal: { Federated: "arn:aws:iam::123456789012:oidc-provider/oidc.example.org" },
          Action: "sts:AssumeRoleWithWebIdentity",
          Condition: {
            StringEquals: {
              "oidc.example.org:aud": "sts.amazonaws.com",
              "oidc.example.org:sub": "spiffe://example.org/backend",
            },
          },
        },
      ],
    });
  });

  it("refuses what does not fit into a policy", () => {
    const role = { account: "123456789012", partition: "aws" };
    assert.throws(() => awsTrust(long(1900), role), /2048/);
    const issuer = `https://example.org/${"x".repeat(240)}`;
    assert.throws(() => awsTrust({ ...request, issuer }, role), /255/);
  });
});

describe("gcpTrust", () => {
  it("makes the whole ID the subject while it fits", () => {
    const { content, notes } = gcpTrust(long(127 - "spiffe://example.org/".length), pool);
    assert.deepEqual(Object.entries(content).slice(1, 3), [
      ["oidc", { issuerUri: request.issuer, allowedAudiences: [request.audience] }],
      ["attributeMapping", { "google.subject": "assertion.sub" }],
    ]);
    assert.equal(notes.length, 2);
  });

  it("cuts a longer one to its path, and still compares all of it", () => {
    const { content, notes } = gcpTrust(long(120), pool) as ReturnType<typeof gcpTrust> & {
      content: { attributeMapping: object; attributeCondition: string };
    };
    assert.deepEqual(content.attributeMapping, {
      "google.subject": "assertion.sub.extract('spiffe://example.org/{rest}')",
    });
    assert.equal(content.attributeCondition, `assertion.sub == '${long(120).spiffeId}'`);
    assert.match(notes.join("\n"), /\/subject\/x{120}\n/);
  });

  it("refuses a path that is too long by itself", () => {
    assert.throws(() => gcpTrust(long(128), pool), TrustProblem);
  });
});

describe("azureTrust", () => {
  it("makes one credential for one identity, and a list for several", () => {
    const { content } = azureTrust([request], { existing: 0 });
    assert.deepEqual(content, {
      name: "example-org-backend",
      issuer: request.issuer,
      subject: request.spiffeId,
      audiences: [request.audience],
      description: "JWT-SVIDs of Assay",
    });
    const several = azureTrust([request, long(3)], { existing: 0, name: "x-y" });
    assert.ok(Array.isArray(several.content) && several.content.length === 2);
  });

  it("counts to twenty", () => {
    assert.match(azureTrust([request], { existing: 19 }).notes.join("\n"), / 0 are left/);
    assert.throws(() => azureTrust([request], { existing: 20 }), /would make 21/);
    assert.throws(() => azureTrust([long(600)], { existing: 0 }), /600 characters of subject/);
  });
});
