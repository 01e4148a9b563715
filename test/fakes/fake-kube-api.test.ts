import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { staticAccess } from "../../server/k8s/access.ts";
import { HttpsTransport } from "../../server/k8s/transport.ts";
import { FakeKubeApi } from "./fake-kube-api.ts";

const { signal } = new AbortController();

async function ask(api: FakeKubeApi, path: string, token = api.token) {
  const access = staticAccess({ server: api.url, tls: { ca: api.caPem }, token });
  using transport = new HttpsTransport(access);
  const request = { method: "GET", path, what: path } as const;
  const limits = { timeoutMs: 60_000, maxBytes: 100_000 };
  const { status, body } = await transport.request(request, limits, signal);
  return { status, value: JSON.parse(body) };
}

describe("FakeKubeApi", () => {
  it("asks for its token", async () => {
    await using api = await FakeKubeApi.open();
    assert.equal((await ask(api, "/api/v1/pods", "other")).status, 401);
  });

  it("answers with an object, and 404 for what is not there", async () => {
    await using api = await FakeKubeApi.open();
    api.put("pods", { metadata: { name: "web", namespace: "apps" } });
    const { value } = await ask(api, "/api/v1/namespaces/apps/pods/web");
    assert.equal(value.metadata.uid, "uid-web");
    assert.equal((await ask(api, "/api/v1/namespaces/apps/pods/other")).status, 404);
    assert.equal((await ask(api, "/api/v1/namespaces/kube-system")).status, 200);
    assert.equal((await ask(api, "/api/v1/nodes/n")).status, 404);
  });

  it("lists in pages", async () => {
    await using api = await FakeKubeApi.open();
    for (const name of ["a", "b", "c"]) api.put("nodes", { metadata: { name } });
    const first = await ask(api, "/api/v1/nodes?limit=2");
    assert.equal(first.value.items.length, 2);
    const rest = await ask(api, `/api/v1/nodes?limit=2&continue=${first.value.metadata.continue}`);
    assert.equal(rest.value.items.length, 1);
    assert.equal(rest.value.metadata.continue, undefined);
  });

  it("refuses to watch from before what it has forgotten", async () => {
    await using api = await FakeKubeApi.open();
    api.put("nodes", { metadata: { name: "a" } });
    api.forget("nodes", "a");
    const { status } = await ask(api, "/api/v1/nodes?watch=true&resourceVersion=101");
    assert.equal(status, 410);
  });
});
