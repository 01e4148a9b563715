import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { collectionPath, objectPath, PODS, TOKEN_REVIEWS } from "./resources.ts";

describe("objectPath", () => {
  it("names a kind of the core group and of another", () => {
    assert.equal(collectionPath(PODS), "/api/v1/pods");
    assert.equal(collectionPath(TOKEN_REVIEWS), "/apis/authentication.k8s.io/v1/tokenreviews");
    assert.equal(
      objectPath(PODS, { namespace: "apps", name: "web-1", subresource: "status" }),
      "/api/v1/namespaces/apps/pods/web-1/status",
    );
  });

  for (const name of [
    "",
    ".",
    "..",
    "../secrets",
    "a/b",
    "a?x=1",
    "a%2fb",
    "a b",
    "x".repeat(254),
  ]) {
    it(`refuses ${JSON.stringify(name.slice(0, 20))} as a name and as a namespace`, () => {
      const refused = { name: "KubeError", code: "invalid" };
      assert.throws(() => objectPath(PODS, { namespace: "apps", name }), refused);
      assert.throws(() => objectPath(PODS, { namespace: name, name: "web" }), refused);
    });
  }
});
