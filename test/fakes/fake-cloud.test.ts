import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeCloud } from "./fake-cloud.ts";

const token = { issuer: "https://o.test", subject: "s", audiences: ["a"], algorithm: "RS256" };

describe("FakeCloud", () => {
  it("says which field is wrong, missing, unknown or there twice", async () => {
    await using cloud = await FakeCloud.open(async () => token);
    const post = async (body: string): Promise<string> => {
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      return (await fetch(cloud.url, { method: "POST", headers, body })).text();
    };
    const good =
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=xx&WebIdentityToken=a.b.c";
    assert.match(await post(good), /AccessDenied/);
    assert.match(await post(good.replace("Version=2011-06-15", "")), /Version is wrong/);
    assert.match(await post(`${good}&Extra=1`), /Extra is unknown/);
    assert.match(await post(`${good}&Action=x`), /twice/);
    const Condition = { StringEquals: { "o.test:aud": "a", "o.test:sub": "s" } };
    const Principal = { Federated: "arn:aws:iam::123456789012:oidc-provider/o.test" };
    const statement = { Action: "sts:AssumeRoleWithWebIdentity", Principal, Condition };
    cloud.trust = { roles: { "arn:aws:iam::123456789012:role/r": { Statement: [statement] } } };
    assert.match(await post(good), /ASIAEXAMPLE/);
  });
});
