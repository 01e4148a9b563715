// The agent's view of pods over real TLS, with a kubelet in every state that one may be in.

import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { KubeletClient } from "../../agent/workload-attestation/k8s/kubelet-client.ts";
import { FakeKubelet } from "../fakes/fake-kubelet.ts";
import { eventually } from "../support/eventually.ts";
import { POD_UID } from "../support/pods.ts";
import { TempDir } from "../support/temp-dir.ts";
import { dnsName, ipAddress } from "../support/test-ca.ts";

const signal = new AbortController().signal;

class Bench implements AsyncDisposable {
  readonly kubelet: FakeKubelet;
  readonly dir: TempDir;

  private constructor(kubelet: FakeKubelet, dir: TempDir) {
    this.kubelet = kubelet;
    this.dir = dir;
  }

  static async open(names?: readonly Uint8Array[]): Promise<Bench> {
    const bench = new Bench(await FakeKubelet.open(names), await TempDir.open());
    await bench.write("token", "token-1\n");
    await bench.write("ca.crt", bench.kubelet.caPem);
    return bench;
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(this.dir.join(name), text);
  }

  client(
    changes: {
      insecureSkipVerify?: boolean;
      nodeName?: string;
      maxBytes?: number;
      timeLimitMs?: number;
    } = {},
  ): KubeletClient {
    const { insecureSkipVerify = false, nodeName, maxBytes, timeLimitMs = 60_000 } = changes;
    return new KubeletClient({
      kubelet: {
        host: "127.0.0.1",
        port: this.kubelet.port,
        caFile: this.dir.join("ca.crt"),
        tokenFile: this.dir.join("token"),
        insecureSkipVerify,
      },
      nodeName,
      timeLimitMs,
      ...(maxBytes !== undefined && { maxBytes }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kubelet[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

describe("KubeletClient", () => {
  it("lists pods over one connection that stays", async () => {
    await using bench = await Bench.open();
    using client = bench.client();
    bench.kubelet.pods = [{}];
    for (let i = 0; i < 3; i++) {
      const { pods } = await client.listPods(signal);
      assert.deepEqual(
        pods.map(({ uid }) => uid),
        [POD_UID],
      );
    }
    assert.equal(bench.kubelet.connections, 1);
  });

  it("checks the certificate of every connection, whatever it was told to resume", async () => {
    await using bench = await Bench.open();
    using client = bench.client();
    await client.listPods(signal);
    bench.kubelet.disconnect();
    // The first time it may not have noticed yet.
    await client.listPods(signal).catch(() => client.listPods(signal));
    assert.deepEqual([bench.kubelet.connections, bench.kubelet.resumed], [2, 0]);
  });

  it("takes a token that was replaced", async () => {
    await using bench = await Bench.open();
    using client = bench.client();
    await client.listPods(signal);
    bench.kubelet.tokens.clear();
    bench.kubelet.tokens.set("token-2", true);
    await assert.rejects(client.listPods(signal), { problem: "kubelet_unauthorized" });
    await bench.write("token", "token-2");
    await client.listPods(signal);
  });

  it("takes a certificate for the node's name", async () => {
    await using bench = await Bench.open([dnsName("node-1")]);
    using client = bench.client({ nodeName: "node-1" });
    await client.listPods(signal);
    using other = bench.client({ nodeName: "node-2" });
    await assert.rejects(other.listPods(signal), { problem: "kubelet_untrusted" });
    using nameless = bench.client();
    await assert.rejects(nameless.listPods(signal), { problem: "kubelet_untrusted" });
  });

  it("sends its token to nobody whose certificate is from another CA", async () => {
    await using bench = await Bench.open();
    await using stranger = await FakeKubelet.open();
    await bench.write("ca.crt", stranger.caPem);
    using client = bench.client();
    await assert.rejects(client.listPods(signal), { problem: "kubelet_untrusted" });
    assert.equal(bench.kubelet.asked, 0);
  });

  it("takes any certificate only when told to", async () => {
    await using bench = await Bench.open([ipAddress(192, 0, 2, 1)]);
    await rm(bench.dir.join("ca.crt"));
    using client = bench.client({ insecureSkipVerify: true });
    await client.listPods(signal);
  });

  it("names the permission that is missing", async () => {
    await using bench = await Bench.open();
    bench.kubelet.tokens.set("token-1", false);
    using client = bench.client();
    await assert.rejects(client.listPods(signal), {
      problem: "kubelet_forbidden",
      message: /nodes\/pods/,
    });
  });

  it("never shows the token in an error", async () => {
    await using bench = await Bench.open();
    await bench.write("token", "secret\nvalue");
    using client = bench.client();
    await assert.rejects(client.listPods(signal), (err: Error) => {
      assert.doesNotMatch(`${err.stack} ${String(err.cause)}`, /secret/);
      return true;
    });
  });

  const moods = [
    { mood: "silent", problem: "kubelet_unreachable" },
    { mood: "broken", problem: "kubelet_failed" },
    { mood: "garbage", problem: "kubelet_failed" },
    { mood: "endless", problem: "kubelet_failed" },
  ] as const;
  for (const { mood, problem } of moods) {
    it(`reports a kubelet that is ${mood}, and finds its way back`, async () => {
      await using bench = await Bench.open();
      const limits = mood === "silent" ? { timeLimitMs: 500 } : {};
      using client = bench.client({ maxBytes: 1024 * 1024, ...limits });
      bench.kubelet.mood = mood;
      await assert.rejects(client.listPods(signal), { name: "KubeletError", problem });
      bench.kubelet.mood = "usual";
      await eventually("an answer", () => client.listPods(signal));
    });
  }

  it("reports a kubelet that is away, and files that are", async () => {
    await using bench = await Bench.open();
    using client = bench.client();
    await bench.kubelet[Symbol.asyncDispose]();
    await assert.rejects(client.listPods(signal), { problem: "kubelet_unreachable" });
    await bench.write("token", " ");
    await assert.rejects(client.listPods(signal), { problem: "kubelet_token_missing" });
    await rm(bench.dir.join("token"));
    await assert.rejects(client.listPods(signal), { problem: "kubelet_token_missing" });
  });

  it("reads two thousand pods of full size well within its limits", async () => {
    await using bench = await Bench.open();
    using client = bench.client();
    const labels = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`label-${i}`, "v".repeat(63)]),
    );
    bench.kubelet.pods = Array.from({ length: 2_000 }, (_, i) => ({ uid: `pod-${i}`, labels }));
    const { pods, unusable } = await client.listPods(signal);
    assert.deepEqual([pods.length, unusable], [2_000, 0]);
  });
});
