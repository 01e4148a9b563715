// Clusters that are added and removed while the server runs, by the command.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { FakeKubeApi } from "../fakes/fake-kube-api.ts";
import { AGENT_TOKEN, addAgentPod } from "../support/agent-pod.ts";
import { eventually } from "../support/eventually.ts";
import { runCli } from "../support/run-cli.ts";
import { CALL, csrOf, newKey, RunningServer, type Settings } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const AGENTS = ["--service-account", "assay-system:assay-agent"];

/** A cluster with one node and the agent's pod on it, and a kubeconfig file for it. */
async function openCluster(dir: TempDir) {
  const api = await FakeKubeApi.open();
  addAgentPod(api);
  await writeFile(dir.join("kubeconfig"), api.kubeconfig());
  return api;
}

/** `assay cluster ...` against a server. */
async function cluster(server: RunningServer, ...args: readonly string[]) {
  const socket = ["--socket", server.dir.join("admin.sock"), "--output", "json"];
  const command = ["cluster", ...args, ...socket];
  const { code, output: out, errors: err } = await runCli(command, CALL.signal);
  return { code, out, err, value: out === "" ? undefined : JSON.parse(out) };
}

async function auditOf(server: RunningServer): Promise<readonly string[]> {
  using admin = server.admin();
  const records = await Array.fromAsync(admin.client(Admin).listAudit({}, CALL));
  return records.map(({ line }) => Buffer.from(line).toString());
}

function attest(server: RunningServer) {
  const payload = Buffer.from(JSON.stringify({ cluster: "east", token: AGENT_TOKEN }));
  return server.attest("k8s_psat", payload, csrOf(newKey()));
}

describe("assay cluster", () => {
  it("adds a cluster, which outlives the server, and removes it", async () => {
    await using dir = await TempDir.open();
    await using api = await openCluster(dir);
    const path = dir.join("kubeconfig");
    const settings: Settings = {};
    {
      await using server = await RunningServer.open(settings, dir);
      await assert.rejects(attest(server), { reason: "cluster_unknown" });
      const added = await cluster(server, "add", "east", "--kubeconfig", path, ...AGENTS);
      assert.equal(added.code, ExitCode.ok, added.err);
      assert.equal(added.value.name, "east");
      await attest(server);
      const [listed] = await eventually("the view", async () => {
        const { value } = await cluster(server, "list");
        return value[0].current && value[0].uid !== "" ? value : undefined;
      });
      assert.deepEqual(
        [listed.origin, listed.nodes, listed.pods, listed.uid, listed.audiences],
        ["store", 1, 1, "uid-of-the-cluster", ["assay-server", "spire-server"]],
      );
      const audit = await auditOf(server);
      assert.ok(audit.some((line) => line.includes('"cluster.add"') && line.includes('"east"')));
      const all = JSON.stringify([added, listed, server.log.lines, audit]);
      assert.equal(all.includes(api.token), false);
    }
    await using server = await RunningServer.open(settings, dir);
    await attest(server);
    assert.equal((await cluster(server, "remove", "east")).code, ExitCode.ok);
    await assert.rejects(attest(server), { reason: "cluster_unknown" });
    assert.deepEqual((await cluster(server, "list")).value, []);
    assert.equal((await cluster(server, "remove", "east")).code, ExitCode.notFound);
  });

  it("refuses a cluster that cannot be used, unless told not to ask", async () => {
    await using dir = await TempDir.open();
    await using api = await openCluster(dir);
    await using server = await RunningServer.open();
    const add = ["add", "east", "--kubeconfig", dir.join("kubeconfig"), ...AGENTS];
    api.failure = { status: 403, body: '{"message":"tokenreviews is forbidden"}' };
    const refused = await cluster(server, ...add);
    assert.notEqual(refused.code, ExitCode.ok);
    assert.match(refused.err, /cluster east cannot be used: .* answered 403: tokenreviews is forb/);
    assert.deepEqual((await cluster(server, "list")).value, []);
    assert.equal((await cluster(server, ...add, "--no-check")).code, ExitCode.ok);
    assert.equal((await cluster(server, "list")).value[0].current, false);
  });

  it("gives a cluster one name", async () => {
    await using dir = await TempDir.open();
    await using api = await openCluster(dir);
    const kubeconfig = dir.join("kubeconfig");
    const east = { kubeconfig, serviceAccounts: ["assay-system:assay-agent"] };
    await using server = await RunningServer.open({
      nodeAttestors: { k8s_psat: { clusters: { east } } },
    });
    assert.notEqual(api.url, "");
    await eventually("the cluster", async () => {
      const { value } = await cluster(server, "list");
      return value[0].uid !== "" || undefined;
    });
    const again = await cluster(server, "add", "west", "--kubeconfig", kubeconfig, ...AGENTS);
    assert.match(again.err, /this cluster is known as east/);
    const same = await cluster(server, "add", "east", "--kubeconfig", kubeconfig, ...AGENTS);
    assert.match(same.err, /cluster east is one of the configuration/);
    const removed = await cluster(server, "remove", "east");
    assert.match(removed.err, /cluster east is one of the configuration: remove it there/);
  });

  it("refuses agents by pod beside a registrar, whose entries would reach none of them", async () => {
    await using dir = await TempDir.open();
    await using _ = await openCluster(dir);
    const kubeconfig = dir.join("kubeconfig");
    await using server = await RunningServer.open({ registrar: { clusters: { east: {} } } });
    const byPod = ["--kubeconfig", kubeconfig, ...AGENTS, "--agent-id-by", "pod"];
    const { code, err } = await cluster(server, "add", "east", ...byPod);
    assert.notEqual(code, ExitCode.ok);
    assert.match(err, /expected "node", because the registrar of east/);
    assert.equal((await cluster(server, "add", "west", ...byPod)).code, ExitCode.ok);
  });

  it("says what is wrong with what it is given", async () => {
    await using dir = await TempDir.open();
    await using api = await openCluster(dir);
    await using server = await RunningServer.open();
    const kubeconfig = dir.join("kubeconfig");
    const cases = [
      {
        args: ["../x", "--kubeconfig", kubeconfig, ...AGENTS],
        message: /cluster: name: expected 1/,
      },
      {
        args: ["east", "--kubeconfig", dir.join("no"), ...AGENTS],
        message: /--kubeconfig: .*ENOENT/,
      },
      {
        args: ["east", "--kubeconfig", kubeconfig, "--service-account", "agents"],
        message: /serviceAccounts.0: expected "namespace:name"/,
      },
    ];
    for (const { args, message } of cases) {
      const { code, err } = await cluster(server, "add", ...args);
      assert.notEqual(code, ExitCode.ok);
      assert.match(err, message);
    }
    assert.deepEqual(api.requests, []);
  });
});
