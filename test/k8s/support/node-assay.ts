import { join } from "node:path";
import { stringify } from "yaml";
import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { Component } from "../cluster/component.ts";
import type { Node } from "../cluster/node.ts";

const root = join(import.meta.dirname, "../../..");

export interface NodeAssayOptions {
  readonly cluster: Cluster;
  readonly node: Node;
  /** Settings of the agent's k8s attestor that differ from the default. */
  readonly k8s?: object;
}

/** A server and an agent as plain processes on a node, for tests of what an agent sees of the pods there. */
export class NodeAssay implements AsyncDisposable {
  readonly agent: Component;
  readonly server: Component;
  readonly socketPath = "/run/assay/workload/api.sock";
  readonly #node: Node;
  readonly #writeAgent: (k8s: object) => Promise<string>;
  #agentId = "";

  private constructor(
    node: Node,
    server: Component,
    agent: Component,
    writeAgent: (k8s: object) => Promise<string>,
  ) {
    this.#node = node;
    this.server = server;
    this.agent = agent;
    this.#writeAgent = writeAgent;
  }

  static async start({ cluster, node, k8s = {} }: NodeAssayOptions): Promise<NodeAssay> {
    const { folder } = cluster;
    const { spec } = await cluster.client.get<{ spec: { clusterIP: string } }>(
      "/api/v1/namespaces/default/services/kubernetes",
    );
    await node.host.run(["mkdir", "-p", "/run/assay/token"]);
    const write = (name: string, settings: object): Promise<string> =>
      folder.write(`assay/${name}`, stringify(settings));
    const log = { format: "text" };
    const serverConfig = await write("server.yaml", {
      trustDomain: "example.test",
      dataDir: "/run/assay/server/data",
      listen: { address: "127.0.0.1", port: 8081 },
      adminSocket: { path: "/run/assay/server/admin.sock" },
      nodeAttestors: { join_token: {} },
      observability: { enabled: false },
      log,
    });
    const writeAgent = (changes: object): Promise<string> =>
      write("agent.yaml", agentSettings(cluster, spec.clusterIP, changes));
    const agentConfig = await writeAgent(k8s);
    const component = (part: string, config: string): Component =>
      new Component({
        name: `${node.name}-assay-${part}`,
        host: node.host,
        argv: [
          ...["env", `ASSAY_NODE_NAME=${node.name}`, `ASSAY_NODE_IP=${node.address}`],
          ...[process.execPath, join(root, "assay.ts"), part, "run", "--config", config],
        ],
        logPath: folder.join("logs", `${node.name}-assay-${part}.log`),
      });
    const assay = new NodeAssay(
      node,
      component("server", serverConfig),
      component("agent", agentConfig),
      writeAgent,
    );
    await assay.#start();
    return assay;
  }

  /** Lets the agent ask the kubelet from now on as this holder of a token. */
  async useToken(token: string): Promise<void> {
    await this.#node.host.run(["tee", "/run/assay/token/kubelet"], { input: token });
  }

  /** Starts the agent anew with other settings of its k8s attestor. */
  async restartAgent(k8s: object): Promise<void> {
    await this.agent.kill();
    await this.#writeAgent(k8s);
    await this.agent.start();
  }

  /** Creates an entry for workloads of this node, and waits until the agent has it. */
  async grant(path: string, ...selectors: readonly string[]): Promise<void> {
    const given = selectors.flatMap((selector) => ["--selector", selector]);
    const id = ["--spiffe-id", `spiffe://example.test${path}`, "--parent-id", this.#agentId];
    await this.#command("entry", "create", ...id, ...given, "--wait");
  }

  /** What the agent knows of a process, by its number on the node. */
  async explain(pid: number): Promise<string> {
    const command = `${process.execPath} ${join(root, "assay.ts")} why --pid ${pid}`;
    // What is undecided is told apart from the answer.
    return this.#node.host.run(["sh", "-c", `${command} --output json 2>&1`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.kill();
    await this.server.kill();
  }

  async #start(): Promise<void> {
    await this.server.start();
    const token = await eventually(
      "a join token",
      async () => {
        const made = JSON.parse(await this.#command("token", "create", "--output", "json"));
        return String(made.token ?? made.value);
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    ).catch(async (cause: unknown) => {
      throw new Error(await this.server.lastWords(), { cause });
    });
    await this.#node.host.run(["tee", "/run/assay/token/join"], { input: token });
    await this.agent.start();
    this.#agentId = await eventually(
      "the agent",
      async () => {
        const [agent] = JSON.parse(await this.#command("agent", "list", "--output", "json"));
        return agent?.id;
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    ).catch(async (cause: unknown) => {
      throw new Error(await this.agent.lastWords(), { cause });
    });
  }

  #command(...args: readonly string[]): Promise<string> {
    const socket = ["ASSAY_SERVER_SOCKET=/run/assay/server/admin.sock"];
    return this.#node.host.run([
      "env",
      ...socket,
      process.execPath,
      join(root, "assay.ts"),
      ...args,
    ]);
  }
}

function agentSettings(cluster: Cluster, apiServer: string, k8s: object): object {
  const caFile = cluster.folder.join("pki/ca.crt");
  const tokenFile = "/run/assay/token/kubelet";
  return {
    trustDomain: "example.test",
    servers: ["127.0.0.1:8081"],
    trustBundle: { insecure: true },
    nodeAttestor: { join_token: { tokenFile: "/run/assay/token/join" } },
    state: { path: "/run/assay/agent/state" },
    workloadSocket: { path: "/run/assay/workload/api.sock" },
    workloadAttestors: {
      k8s: {
        kubelet: { caFile, tokenFile },
        apiServer: { host: apiServer, caFile, tokenFile },
        ...k8s,
      },
    },
    observability: { enabled: false },
    log: { format: "text", level: "debug" },
  };
}
