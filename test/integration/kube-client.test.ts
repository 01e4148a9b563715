// Requests and watches over real TLS sockets.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { type Access, staticAccess } from "../../server/k8s/access.ts";
import { inClusterAccess } from "../../server/k8s/in-cluster.ts";
import { KubeClient } from "../../server/k8s/kube-client.ts";
import { kubeconfigAccess, readKubeconfig } from "../../server/k8s/kubeconfig.ts";
import { parseNode } from "../../server/k8s/objects/node.ts";
import { NAMESPACES, NODES } from "../../server/k8s/resources.ts";
import { reviewToken } from "../../server/k8s/token-review.ts";
import { HttpsTransport } from "../../server/k8s/transport.ts";
import { WatchCache } from "../../server/k8s/watch-cache.ts";
import { FakeKubeApi } from "../fakes/fake-kube-api.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { eventually } from "../support/eventually.ts";
import { TempDir } from "../support/temp-dir.ts";

const { signal } = new AbortController();
const identity = (raw: unknown): unknown => raw;

function accessOf(api: FakeKubeApi, change: { token?: string; ca?: string } = {}): Access {
  const { token = api.token, ca = api.caPem } = change;
  return staticAccess({ server: api.url, tls: { ca }, token });
}

function clientOf(access: Access): KubeClient & Disposable {
  const transport = new HttpsTransport(access);
  return Object.assign(new KubeClient(transport), {
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  });
}

describe("KubeClient", () => {
  it("does not wait for credentials that hang", { timeout: 60_000 }, async () => {
    await using api = await FakeKubeApi.open();
    const credentials = (): Promise<never> => new Promise(() => {});
    using transport = new HttpsTransport({ server: new URL(api.url), credentials });
    const request = { method: "GET", path: "/api/v1/nodes", what: "list nodes" } as const;
    const limits = { timeoutMs: 50, maxBytes: 1000, idleMs: 1000, maxLineBytes: 1000 };
    await assert.rejects(transport.request(request, limits, signal), { code: "timeout" });
    await assert.rejects(transport.open(request, limits, signal), { code: "timeout" });
    const stop = new AbortController();
    const asking = transport.request(request, { ...limits, timeoutMs: 60_000 }, stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(asking, /enough/);
  });

  it("maps what the API server answers", async () => {
    await using api = await FakeKubeApi.open();
    using client = clientOf(accessOf(api));
    const get = () => client.get(NODES, { name: "n" }, identity, signal);
    await assert.rejects(get(), { code: "not_found" });
    using stranger = clientOf(accessOf(api, { token: "other" }));
    await assert.rejects(stranger.get(NODES, { name: "n" }, identity, signal), {
      code: "unauthorized",
    });
    for (const [failure, code] of [
      [{ status: 200, body: "{" }, "malformed"],
      [{ status: 200, body: "[".repeat(100_000) }, "malformed"],
      [{ status: 200, body: " ".repeat(13 * 1024 * 1024) }, "too_large"],
      [{ status: 403, body: "" }, "forbidden"],
      [{ status: 503, body: "{}" }, "unavailable"],
      [{ status: 302, body: "" }, "unavailable"],
    ] as const) {
      api.failure = failure;
      await assert.rejects(get(), { name: "KubeError", code });
    }
  });

  it("verifies the API server", async () => {
    await using api = await FakeKubeApi.open();
    await using other = await FakeKubeApi.open();
    using client = clientOf(accessOf(api, { ca: other.caPem }));
    await assert.rejects(client.get(NODES, { name: "n" }, identity, signal), {
      code: "unavailable",
    });
    assert.deepEqual(api.requests, []);
  });

  it("does not wait for an API server for ever, nor after its caller has left", async () => {
    await using api = await FakeKubeApi.open();
    api.isHanging = true;
    using transport = new HttpsTransport(accessOf(api));
    const request = { method: "GET", path: "/", what: "get" } as const;
    await assert.rejects(transport.request(request, { timeoutMs: 50, maxBytes: 10 }, signal), {
      code: "timeout",
    });
    const leaving = new AbortController();
    const later = { ...request, path: "/later" };
    const asked = transport.request(later, { timeoutMs: 60_000, maxBytes: 10 }, leaving.signal);
    await eventually("the request", () => api.requests.includes("GET /later") || undefined);
    leaving.abort(new Error("left"));
    await assert.rejects(asked, /left/);
  });

  it("ends a watch that has gone silent", async () => {
    await using api = await FakeKubeApi.open();
    using transport = new HttpsTransport(accessOf(api));
    const path = "/api/v1/nodes?watch=true&resourceVersion=1000";
    const stream = await transport.open(
      { method: "GET", path, what: "watch nodes" },
      { timeoutMs: 60_000, idleMs: 50, maxLineBytes: 1000 },
      signal,
    );
    await assert.rejects(Array.fromAsync(stream.lines), { code: "timeout" });
  });

  it("says that nobody listens", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    const address = await new Promise<number>((resolve) =>
      closed.on("listening", () => {
        const found = closed.address();
        resolve(typeof found === "object" && found !== null ? found.port : 0);
      }),
    );
    closed.close();
    using client = clientOf(
      staticAccess({ server: `https://127.0.0.1:${address}`, tls: {}, token: "t" }),
    );
    await assert.rejects(client.get(NODES, { name: "n" }, identity, signal), {
      code: "unavailable",
    });
  });

  it("reads a list page by page", async () => {
    await using api = await FakeKubeApi.open();
    for (let i = 0; i < 260; i += 1) api.put("nodes", { metadata: { name: `n-${i}` } });
    using client = clientOf(accessOf(api));
    const nodes = await client.list(NODES, {}, parseNode, signal);
    assert.equal(nodes.length, 260);
    assert.equal(api.requests.length, 2);
  });

  it("never repeats a token in an error", async () => {
    await using api = await FakeKubeApi.open();
    using client = clientOf(accessOf(api));
    api.failure = { status: 422, body: '{"message":"Invalid value: secret.secret.secret"}' };
    const token = "secret.secret.secret";
    await assert.rejects(reviewToken(client, { token, audiences: ["a"] }, signal), (err: Error) => {
      assert.doesNotMatch(`${err.message} ${err.stack} ${err.cause}`, /secret\.secret/);
      return true;
    });
  });
});

describe("access", () => {
  it("works from a kubeconfig file, and as a value read from one", async () => {
    await using api = await FakeKubeApi.open();
    await using dir = await TempDir.open();
    await writeFile(dir.join("kubeconfig"), api.kubeconfig());
    const value = await readKubeconfig(dir.join("kubeconfig"));
    assert.equal(value.token, api.token);
    for (const access of [await kubeconfigAccess(dir.join("kubeconfig")), staticAccess(value)]) {
      using client = clientOf(access);
      assert.equal((await client.list(NAMESPACES, {}, identity, signal)).length, 1);
    }
  });

  it("follows a kubeconfig file that is replaced, and outlives one that is spoilt", async () => {
    await using api = await FakeKubeApi.open();
    await using dir = await TempDir.open();
    const path = dir.join("kubeconfig");
    await writeFile(path, api.kubeconfig().replace(api.token, "old-token"));
    using client = clientOf(await kubeconfigAccess(path));
    const list = () => client.list(NODES, {}, identity, signal);
    await assert.rejects(list(), { code: "unauthorized" });
    await writeFile(path, api.kubeconfig());
    await list();
    await writeFile(path, "]: {");
    await list();
  });

  for (const { name, change, message } of [
    { name: "that is not there", change: undefined, message: /ENOENT/ },
    { name: "that is none", change: () => "]: {", message: /not a kubeconfig$/ },
    { name: "without contexts", change: () => "{}", message: /expected a context/ },
    {
      name: "that does not verify the API server",
      change: (text: string) =>
        text.replace('"server"', '"insecure-skip-tls-verify":true,"server"'),
      message: /insecure-skip-tls-verify is refused/,
    },
    {
      name: "of an API server without TLS",
      change: (text: string) => text.replace("https://", "http://"),
      message: /expected an https URL/,
    },
  ]) {
    it(`refuses a kubeconfig file ${name}`, async () => {
      await using api = await FakeKubeApi.open();
      await using dir = await TempDir.open();
      const path = dir.join("kubeconfig");
      if (change !== undefined) await writeFile(path, change(api.kubeconfig()));
      await assert.rejects(kubeconfigAccess(path), { message });
    });
  }

  it("does not take over credentials that only this machine can renew", async () => {
    await using api = await FakeKubeApi.open();
    await using dir = await TempDir.open();
    const exec = '"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"false"}';
    await writeFile(dir.join("k"), api.kubeconfig().replace('"token":"server-token"', exec));
    await assert.rejects(readKubeconfig(dir.join("k")), /not a command, a login or a proxy/);
  });

  it("reads a pod's token anew for each request", async () => {
    await using api = await FakeKubeApi.open();
    await using dir = await TempDir.open();
    await writeFile(dir.join("ca.crt"), api.caPem);
    await writeFile(dir.join("token"), "old\n");
    const { port } = new URL(api.url);
    const env = { KUBERNETES_SERVICE_HOST: "localhost", KUBERNETES_SERVICE_PORT: port };
    using client = clientOf(inClusterAccess(env, dir.path));
    const list = () => client.list(NODES, {}, identity, signal);
    await assert.rejects(list(), { code: "unauthorized" });
    await writeFile(dir.join("token"), `${api.token}\n`);
    await list();
    assert.throws(() => inClusterAccess({}, dir.path), /not in a pod/);
  });
});

describe("WatchCache over the network", () => {
  it("follows changes, broken connections and lost history", async () => {
    await using api = await FakeKubeApi.open();
    using client = clientOf(accessOf(api));
    const recording = new RecordingLog();
    const cache = new WatchCache({
      client,
      resource: NODES,
      parse: parseNode,
      clock: systemClock,
      random: systemRandom,
      log: recording.log,
    });
    const said: string[] = [];
    cache.onEvent((event) => said.push(event.kind));
    const stop = new AbortController();
    const running = cache.run(stop.signal);
    await eventually("the watch", () => cache.isCurrent || undefined);
    api.put("nodes", { metadata: { name: "a" } });
    await eventually("a", () => cache.get("a"));
    api.disconnect();
    api.put("nodes", { metadata: { name: "b" } });
    await eventually("b", () => cache.get("b"));
    await eventually("the watch", () => cache.isCurrent || undefined);
    api.forget("nodes", "a");
    await eventually("a to vanish", () => cache.get("a") === undefined || undefined);
    stop.abort();
    await running;
    assert.deepEqual(said, ["listed", "added", "added", "listed"]);
  });
});
