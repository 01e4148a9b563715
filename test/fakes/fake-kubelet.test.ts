import assert from "node:assert/strict";
import { request } from "node:https";
import { describe, it } from "node:test";
import { POD_UID } from "../support/pods.ts";
import { FakeKubelet } from "./fake-kubelet.ts";

function get(
  kubelet: FakeKubelet,
  path: string,
  token: string,
): Promise<{ status: number | undefined; body: string }> {
  const { port, caPem: ca } = kubelet;
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, ca, headers, agent: false }, async (response) => {
      const chunks = await Array.fromAsync(response);
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
    })
      .on("error", reject)
      .end();
  });
}

describe("FakeKubelet", () => {
  it("lists its pods to whoever may get them, over TLS", async () => {
    await using kubelet = await FakeKubelet.open();
    kubelet.pods = [{}];
    const { status, body } = await get(kubelet, "/pods", "token-1");
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).items[0].metadata.uid, POD_UID);
    assert.equal(kubelet.asked, 1);
  });

  it("refuses tokens that it does not know, and those without the permission", async () => {
    await using kubelet = await FakeKubelet.open();
    kubelet.tokens.set("token-2", false);
    assert.equal((await get(kubelet, "/pods", "token-3")).status, 401);
    assert.equal((await get(kubelet, "/pods", "token-2")).status, 403);
    assert.equal((await get(kubelet, "/configz", "token-1")).status, 404);
  });

  it("can be in a bad mood", async () => {
    await using kubelet = await FakeKubelet.open();
    kubelet.mood = "broken";
    assert.equal((await get(kubelet, "/pods", "token-1")).status, 500);
    kubelet.mood = "garbage";
    assert.match((await get(kubelet, "/pods", "token-1")).body, /^<html>/);
  });
});
