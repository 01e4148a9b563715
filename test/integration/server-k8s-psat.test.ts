// Node attestation by the token of the agent's pod, against an API server over TLS.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { K8sPsatAttestor } from "../../agent/node-attestation/k8s-psat.ts";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { Status, type StatusError } from "../../runtime/errors/status-error.ts";
import { retryDelayMs } from "../../runtime/rpc/status-details.ts";
import { FakeKubeApi } from "../fakes/fake-kube-api.ts";
import { eventually } from "../support/eventually.ts";
import { CALL, csrOf, newKey, RunningServer, type Settings } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const TOKEN = "eyJh.eyJz.c2ln";
const POD = { name: "agent-1", namespace: "assay-system", uid: "uid-agent-1" };

interface Claims {
  readonly authenticated?: boolean;
  readonly audiences?: readonly string[];
  readonly username?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What the API server says about the token of the agent's pod on node-1. */
function review(change: Claims = {}, extra: Readonly<Record<string, string | undefined>> = {}) {
  const claims = {
    "pod-name": POD.name,
    "pod-uid": POD.uid,
    "node-name": "node-1",
    "node-uid": "uid-node-1",
    ...extra,
  };
  const named = Object.entries(claims).flatMap(([key, value]) =>
    value === undefined ? [] : [[`authentication.kubernetes.io/${key}`, [value]]],
  );
  const { audiences = ["assay-server"], authenticated = true } = change;
  const { username = "system:serviceaccount:assay-system:assay-agent" } = change;
  const user = { username, extra: Object.fromEntries(named) };
  return { authenticated, audiences, user };
}

function pod(change: Readonly<Record<string, unknown>> = {}, metadata: object = {}) {
  return {
    metadata: { ...POD, labels: { app: "agent", tier: "x" }, ...metadata },
    spec: { nodeName: "node-1", serviceAccountName: "assay-agent", containers: [{ name: "a" }] },
    status: { phase: "Running", hostIP: "192.0.2.1" },
    ...change,
  };
}

const NODE = { metadata: { name: "node-1", labels: { zone: "a", secret: "b" } } };

/** Tokens that the agent's pod does not have, by what the API server says about them. */
const STOLEN: readonly {
  readonly name: string;
  readonly change?: Claims;
  readonly extra?: Readonly<Record<string, string | undefined>>;
  readonly reason: string;
}[] = [
  {
    name: "that the cluster does not accept",
    change: { authenticated: false },
    reason: "token_refused",
  },
  { name: "for another audience", change: { audiences: ["vault"] }, reason: "token_refused" },
  {
    name: "of an API server that knows no audiences",
    change: { audiences: [] },
    reason: "token_refused",
  },
  { name: "of a user", change: { username: "admin" }, reason: "token_refused" },
  {
    name: "of another service account",
    change: { username: "system:serviceaccount:apps:assay-agent" },
    reason: "service_account_refused",
  },
  {
    name: "of a service account of that name with more behind it",
    change: { username: "system:serviceaccount:assay-system:assay-agent:x" },
    reason: "token_refused",
  },
  { name: "bound to no pod", extra: { "pod-uid": undefined }, reason: "token_not_bound" },
  { name: "of a pod that was replaced", extra: { "pod-uid": "uid-before" }, reason: "pod_gone" },
  {
    name: "of a pod with a path for a name",
    extra: { "pod-name": ".." },
    reason: "pod_gone",
  },
  { name: "made on another node", extra: { "node-uid": "uid-node-2" }, reason: "node_mismatch" },
  {
    name: "made on a node of another name",
    extra: { "node-name": "node-2" },
    reason: "node_mismatch",
  },
];

const BAD_PAYLOADS = [
  { name: "that is no JSON", payload: "{" },
  { name: "that is too large", payload: `{"cluster":"east","token":"${"x".repeat(70_000)}"}` },
  {
    name: "whose token is too large",
    payload: `{"cluster":"east","token":"a.b.${"x".repeat(17_000)}"}`,
  },
  { name: "whose token is none", payload: '{"cluster":"east","token":"a b"}' },
  { name: "with more in it", payload: `{"cluster":"east","token":"${TOKEN}","uid":"x"}` },
  { name: "without a cluster", payload: `{"token":"${TOKEN}"}` },
  { name: "of an unknown cluster", payload: `{"cluster":"__proto__","token":"${TOKEN}"}` },
];

class World implements AsyncDisposable {
  readonly api: FakeKubeApi;
  readonly server: RunningServer;
  readonly #dir: TempDir;

  private constructor(api: FakeKubeApi, server: RunningServer, dir: TempDir) {
    this.api = api;
    this.server = server;
    this.#dir = dir;
  }

  static async open(rules: Settings = {}): Promise<World> {
    const api = await FakeKubeApi.open();
    api.put("nodes", NODE);
    api.put("pods", pod());
    api.tokens.set(TOKEN, review());
    const dir = await TempDir.open();
    await writeFile(dir.join("kubeconfig"), api.kubeconfig());
    const east = {
      kubeconfig: dir.join("kubeconfig"),
      serviceAccounts: ["assay-system:assay-agent"],
      ...rules,
    };
    const server = await RunningServer.open({
      nodeAttestors: { k8s_psat: { clusters: { east } }, join_token: {} },
    });
    return new World(api, server, dir);
  }

  attest(payload: object = { cluster: "east", token: TOKEN }) {
    return this.server.attest("k8s_psat", Buffer.from(JSON.stringify(payload)), csrOf(newKey()));
  }

  /** Asks again until the server has seen what the test did to the cluster. */
  async attestUntil(reason: string): Promise<void> {
    await eventually(`a refusal for ${reason}`, async () => {
      const refusal = await this.attest().then(
        () => undefined,
        (err: StatusError) => err,
      );
      return refusal?.reason === reason || undefined;
    });
  }

  /** Waits until these are the agents on record. */
  async untilAgents(...ids: readonly string[]): Promise<void> {
    using admin = this.server.admin();
    await eventually(`the agents ${ids}`, async () => {
      const { agents } = await admin.client(Agent).listAgents({}, CALL);
      const found = agents.map(({ id }) => `spiffe://${id?.trustDomain}${id?.path}`);
      return isDeepStrictEqual(found.sort(), [...ids].sort()) || undefined;
    });
  }

  /** Waits until the server has logged this error. */
  async untilAlarm(message: string): Promise<void> {
    const { log } = this.server;
    await eventually(message, () => log.messages("error").includes(message) || undefined);
  }

  /** The IDs of all entries. */
  async entries(): Promise<readonly string[]> {
    using admin = this.server.admin();
    const { entries } = await admin.client(Entry).listEntries({}, CALL);
    return entries.map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

describe("k8s_psat", () => {
  it("gives the node's agent its ID and all selectors, again and again", async () => {
    await using world = await World.open({ nodeLabels: ["zone", "absent"], podLabels: ["app"] });
    const { id, reattestable } = await world.attest();
    assert.equal(id, "spiffe://example.test/spire/agent/k8s_psat/east/uid-node-1");
    assert.equal(reattestable, true);
    assert.equal((await world.attest()).id, id);
    using admin = world.server.admin();
    const { agents } = await admin.client(Agent).listAgents({}, CALL);
    assert.deepEqual(
      agents.map(({ selectors }) => selectors.map(({ type, value }) => `${type}:${value}`).sort()),
      [
        [
          "k8s_psat:agent_node_ip:192.0.2.1",
          "k8s_psat:agent_node_label:zone:a",
          "k8s_psat:agent_node_name:node-1",
          "k8s_psat:agent_node_uid:uid-node-1",
          "k8s_psat:agent_ns:assay-system",
          "k8s_psat:agent_pod_label:app:agent",
          "k8s_psat:agent_pod_name:agent-1",
          "k8s_psat:agent_pod_uid:uid-agent-1",
          "k8s_psat:agent_sa:assay-agent",
          "k8s_psat:cluster:east",
        ],
      ],
    );
  });

  it("is convinced by what the agent's half presents", async () => {
    await using world = await World.open();
    await using dir = await TempDir.open();
    await writeFile(dir.join("token"), TOKEN);
    const half = new K8sPsatAttestor({ cluster: "east", tokenFile: dir.join("token") });
    const { id } = await world.server.attest(half.type, await half.payload(), csrOf(newKey()));
    assert.equal(id, "spiffe://example.test/spire/agent/k8s_psat/east/uid-node-1");
  });

  it("gives an ID by pod where the cluster says so", async () => {
    await using world = await World.open({ agentIdBy: "pod" });
    const { id } = await world.attest();
    assert.equal(id, "spiffe://example.test/spire/agent/k8s_psat/east/pod/uid-agent-1");
  });

  it("takes the word of an older API server, which does not name the node", async () => {
    await using world = await World.open();
    world.api.tokens.set(TOKEN, review({}, { "node-name": undefined, "node-uid": undefined }));
    const { id } = await world.attest();
    assert.equal(id, "spiffe://example.test/spire/agent/k8s_psat/east/uid-node-1");
  });

  it("never lists for an attestation", async () => {
    await using world = await World.open();
    await world.attest();
    const before = world.api.requests.length;
    await world.attest();
    assert.deepEqual(world.api.requests.slice(before), [
      "POST /apis/authentication.k8s.io/v1/tokenreviews",
    ]);
  });

  it("refuses tokens that prove nothing", async () => {
    await using world = await World.open();
    for (const { name, change, extra, reason } of STOLEN) {
      world.api.tokens.set(TOKEN, review(change, extra));
      await assert.rejects(world.attest(), { reason }, name);
    }
  });

  it("refuses a pod that is on its way out although its token is still accepted", async () => {
    await using world = await World.open();
    await world.attest();
    world.api.put("pods", pod({}, { deletionTimestamp: "2026-03-01T12:00:00Z" }));
    await world.attestUntil("pod_terminating");
    world.api.remove("pods", POD);
    await world.attestUntil("pod_gone");
  });

  it("refuses a pod that has ended, and one of another service account", async () => {
    await using world = await World.open();
    world.api.put("pods", pod({ status: { phase: "Failed" } }));
    await world.attestUntil("pod_gone");
    world.api.put("pods", pod({ spec: { nodeName: "node-1", serviceAccountName: "other" } }));
    await world.attestUntil("pod_mismatch");
    world.api.put("pods", pod({ spec: { nodeName: "node-9", serviceAccountName: "assay-agent" } }));
    await world.attestUntil("node_gone");
  });

  it("refuses payloads that are not as they have to be", async () => {
    await using world = await World.open();
    for (const { name, payload } of BAD_PAYLOADS) {
      const attesting = world.server.attest("k8s_psat", Buffer.from(payload), csrOf(newKey()));
      await assert.rejects(attesting, { code: Status.INVALID_ARGUMENT }, name);
    }
  });

  it("asks to come back when the API server is away, hangs, or refuses the server", async () => {
    await using world = await World.open();
    const { server, api } = world;
    await world.attest();
    const refused = async () => {
      const err: StatusError = await world.attest().then(
        () => assert.fail("it was attested"),
        (thrown) => thrown,
      );
      assert.equal(err.code, Status.UNAVAILABLE);
      assert.equal(err.reason, "cluster_unavailable");
      assert.ok((retryDelayMs(err) ?? 0) > 0);
    };
    for (const status of [401, 403, 429, 500]) {
      api.failure = { status, body: "{}" };
      await refused();
    }
    api.failure = undefined;
    api.isHanging = true;
    await refused();
    api.isHanging = false;
    await world.attest();
    const lines = JSON.stringify(server.log.lines);
    assert.equal(lines.includes(TOKEN) || lines.includes(api.token), false);
  });

  it("evicts the agent of a deleted node, with its entries, and says so in the audit", async () => {
    await using world = await World.open();
    const { id } = await world.attest();
    await world.server.createEntries(id, "/a", "/b");
    const [kept] = await world.server.createEntries("spiffe://example.test/other", "/c");
    world.api.remove("nodes", NODE.metadata);
    await world.untilAgents();
    assert.deepEqual(await world.entries(), [kept]);
    await assert.rejects(world.attest(), { reason: "node_gone" });
    using admin = world.server.admin();
    const actions: string[] = [];
    for await (const { line } of admin.client(Admin).listAudit({}, CALL)) {
      const { action, source, phase } = JSON.parse(Buffer.from(line).toString());
      if (source === "internal" && phase === "intent") actions.push(action);
    }
    assert.deepEqual(actions.slice(-2), ["entry.delete", "agent.evict"]);
  });

  it("evicts the agent of a node that was made anew under its name, and takes the new one's", async () => {
    await using world = await World.open();
    const { id } = await world.attest();
    world.api.remove("nodes", NODE.metadata);
    world.api.put("nodes", { metadata: { ...NODE.metadata, uid: "uid-new" } });
    await world.untilAgents();
    await assert.rejects(world.attest(), { reason: "node_mismatch" });
    world.api.tokens.set(TOKEN, review({}, { "node-uid": "uid-new" }));
    await world.attest();
    await world.untilAgents(id.replace("uid-node-1", "uid-new"));
  });

  it("evicts the agents of nodes that went while nobody looked, unless none is left", async () => {
    await using world = await World.open();
    const first = await world.attest();
    world.api.put("nodes", { metadata: { name: "node-2" } });
    world.api.put("pods", pod({ spec: { nodeName: "node-2", serviceAccountName: "assay-agent" } }));
    world.api.tokens.set(TOKEN, review({}, { "node-uid": "uid-node-2", "node-name": "node-2" }));
    const { id } = await eventually("the second agent", () => world.attest());
    await world.untilAgents(first.id, id);
    world.api.forget("nodes", "node-1");
    await world.untilAgents(id);
    world.api.forget("nodes", "node-2");
    await world.untilAlarm("Too many agents have lost their nodes at once, none is evicted");
    await world.untilAgents(id);
  });

  it("evicts nobody when a list has other nodes under the names that it knows", async () => {
    await using world = await World.open();
    const { id } = await world.attest();
    world.api.forget("nodes", "node-1");
    world.api.put("nodes", { metadata: { ...NODE.metadata, uid: "uid-restored" } });
    await world.untilAlarm("Too many agents have lost their nodes at once, none is evicted");
    await world.untilAgents(id);
  });

  it("evicts nobody when another cluster answers", async () => {
    await using world = await World.open();
    const first = await world.attest();
    world.api.put("nodes", { metadata: { name: "node-2" } });
    world.api.put("pods", pod({ spec: { nodeName: "node-2", serviceAccountName: "assay-agent" } }));
    world.api.tokens.set(TOKEN, review({}, { "node-uid": "uid-node-2", "node-name": "node-2" }));
    const second = await eventually("the second agent", () => world.attest());
    world.api.forget("nodes", "node-1");
    world.api.put("namespaces", { metadata: { name: "kube-system", uid: "uid-of-another" } });
    world.api.put("nodes", { metadata: { ...NODE.metadata, uid: "uid-of-another-node" } });
    await world.untilAlarm("Another cluster answers under this name, no agent is evicted");
    await world.untilAgents(first.id, second.id);
  });

  it("evicts nobody before the API server has confirmed it", async () => {
    await using world = await World.open();
    const { id } = await world.attest();
    world.api.failure = { status: 500, body: "" };
    world.api.remove("nodes", NODE.metadata);
    const message = "Agents of deleted nodes could not be evicted";
    await eventually(
      "the attempt",
      () => world.server.log.messages("warn").includes(message) || undefined,
    );
    await world.untilAgents(id);
    world.api.failure = undefined;
    await world.untilAgents();
  });

  it("takes clusters in and out with a reload", async () => {
    await using world = await World.open();
    const { server } = world;
    await world.attest();
    using admin = server.admin();
    const settings = server.settings;
    server.settings = { nodeAttestors: { join_token: {} } };
    await admin.client(Admin).reload({}, CALL);
    await assert.rejects(world.attest(), { reason: "cluster_unknown" });
    server.settings = settings;
    await admin.client(Admin).reload({}, CALL);
    await world.attest();
    const broken = { kubeconfig: "/nonexistent", serviceAccounts: ["a:b"] };
    server.settings = { nodeAttestors: { k8s_psat: { clusters: { east: broken } } } };
    await assert.rejects(admin.client(Admin).reload({}, CALL), { reason: "config_invalid" });
    await world.attest();
  });
});
