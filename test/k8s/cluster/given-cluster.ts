import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { promisify } from "node:util";
import { Child } from "../../../deploy/local/child.ts";
import { systemClock } from "../../../runtime/time/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { TempDir } from "../../support/temp-dir.ts";
import { KubeClient, type KubeObject } from "./kube-client.ts";
import { applyFlags, type KubeCluster } from "./kube-cluster.ts";

const execute = promisify(execFile);
const maxOutputBytes = 64 << 20;
const commandMs = 240_000;

/** A node, as far as it decides where pods may run. */
interface NodeObject extends KubeObject {
  readonly spec?: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly effect: string }[];
  };
}

/** A cluster that somebody else runs, by a kubeconfig; with kubectl and helm from PATH. */
export class GivenCluster implements KubeCluster, AsyncDisposable {
  readonly client: KubeClient;
  readonly nodeNames: readonly [string, string];
  readonly #kubeconfig: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    client: KubeClient,
    parts: {
      readonly nodeNames: readonly [string, string];
      readonly kubeconfig: string;
      readonly stack: AsyncDisposableStack;
    },
  ) {
    this.client = client;
    this.nodeNames = parts.nodeNames;
    this.#kubeconfig = parts.kubeconfig;
    this.#stack = parts.stack;
  }

  /** @param kubeconfig path of the file; whatever it logs in by, kubectl knows how */
  static async open(kubeconfig: string): Promise<GivenCluster> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await TempDir.open());
    const socketPath = dir.join("api.sock");
    const proxy = await Child.start({
      name: "kubectl-proxy",
      file: "kubectl",
      args: ["--kubeconfig", kubeconfig, "proxy", "--unix-socket", socketPath],
      logPath: dir.join("proxy.log"),
    });
    stack.defer(async () => void (await proxy.stop(systemClock)));
    await eventually("kubectl proxy", () => access(socketPath).then(() => true)).catch(
      async (cause: unknown) => {
        throw new Error((await proxy.lastLines(5)).join("\n"), { cause });
      },
    );
    const client = stack.use(new KubeClient({ socketPath }));
    const nodes = (await client.list<NodeObject>("/api/v1/nodes")).filter(isOpen);
    const [first, second = first] = nodes.map(({ metadata }) => metadata.name);
    if (first === undefined || second === undefined) throw new Error("no node takes pods");
    return new GivenCluster(client, {
      nodeNames: [first, second],
      kubeconfig,
      stack: stack.move(),
    });
  }

  kubectl(args: readonly string[], options: { readonly input?: string } = {}): Promise<string> {
    return this.#run("kubectl", args, options.input);
  }

  helm(args: readonly string[], options: { readonly input?: string } = {}): Promise<string> {
    return this.#run("helm", args, options.input);
  }

  async apply(...objects: readonly object[]): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    await this.kubectl(applyFlags, { input: JSON.stringify(list) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #run(file: string, args: readonly string[], input = ""): Promise<string> {
    const argv = ["--kubeconfig", this.#kubeconfig, ...args];
    const limits = { maxBuffer: maxOutputBytes, timeout: commandMs };
    const running = execute(file, argv, limits);
    running.child.stdin?.on("error", () => {});
    running.child.stdin?.end(input);
    try {
      return (await running).stdout;
    } catch (error) {
      const { stderr = "" } = error as { readonly stderr?: string };
      throw new Error(`${file} ${args.join(" ").slice(0, 500)}: ${stderr.trim()}`);
    }
  }
}

function isOpen({ spec }: NodeObject): boolean {
  const isTainted = spec?.taints?.some(({ effect }) => effect !== "PreferNoSchedule") ?? false;
  return spec?.unschedulable !== true && !isTainted;
}
