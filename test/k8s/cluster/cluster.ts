import { access, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemClock } from "../../../runtime/time/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { ensureBinaries } from "../build/binaries.ts";
import { Addresses } from "./addresses.ts";
import { baseObjects } from "./base-objects.ts";
import { Component } from "./component.ts";
import { ControlPlane, relayCommand } from "./control-plane.ts";
import { writeBusyboxImage } from "./image.ts";
import type { KubeClient } from "./kube-client.ts";
import { applyFlags, type KubeCluster } from "./kube-cluster.ts";
import { Node, type NodeOptions } from "./node.ts";
import { joinClusters, type Side } from "./peering.ts";
import { WorkFolder } from "./work-folder.ts";

/** What a cluster is started with. */
export interface ClusterOptions {
  /** How many nodes there are at first; two unless given. */
  readonly nodes?: number;
  /** Archives of images that every node has, beside the one of the sandboxes. */
  readonly images?: readonly string[];
  /** Writes archives of more images into a folder while the cluster starts. @returns their paths */
  readonly makeImages?: (folder: string) => Promise<readonly string[]>;
  /** Another one whose pods and nodes can be reached from this one's, and the other way round. */
  readonly peer?: Cluster;
  /** Gets a line for what takes time; standard error unless given. */
  readonly say?: (line: string) => void;
}

/**
 * A Kubernetes cluster of real parts on this machine: each of its machines is a set of namespaces of this kernel. Services, DNS and
 * volumes work; images come from archives. However this process ends, nothing of it goes on running.
 */
export class Cluster implements KubeCluster, AsyncDisposable {
  readonly plane: ControlPlane;
  readonly nodes: Node[] = [];
  readonly folder: WorkFolder;
  readonly #addresses: Addresses;
  readonly #number: number;
  readonly #binaries: string;
  readonly #helm: string;
  readonly #images: string[];
  #stack: AsyncDisposableStack = new AsyncDisposableStack();

  private constructor(
    plane: ControlPlane,
    parts: {
      readonly folder: WorkFolder;
      readonly number: number;
      readonly addresses: Addresses;
      readonly binaries: string;
      readonly helm: string;
      readonly images: readonly string[];
    },
  ) {
    this.plane = plane;
    this.folder = parts.folder;
    this.#number = parts.number;
    this.#addresses = parts.addresses;
    this.#binaries = parts.binaries;
    this.#helm = parts.helm;
    this.#images = [...parts.images];
  }

  /** Resolves when all nodes are ready and DNS answers. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const say = options.say ?? ((line: string) => void process.stderr.write(`cluster: ${line}\n`));
    const binaries = await ensureBinaries("cluster", say);
    const helm = join(await ensureBinaries("helm", say), "helm");
    // Each part is one that ends with this process.
    process.setMaxListeners(100);
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await WorkFolder.open());
    const made = options.makeImages?.(folder.path) ?? Promise.resolve([]);
    // Before the folder goes; whether it failed is told below.
    stack.defer(() => made.then(nothing, nothing));
    const number = options.peer === undefined ? 1 : options.peer.#number + 1;
    const addresses = new Addresses(number);
    const busybox = folder.join("busybox.tar");
    await writeBusyboxImage(busybox);
    const now = systemClock.now();
    const plane = stack.use(await ControlPlane.start({ folder, binaries, addresses, now }));
    const images = [busybox, ...(options.images ?? [])];
    const cluster = new Cluster(plane, { folder, number, addresses, binaries, helm, images });
    stack.defer(() => cluster.#stopNodes());
    if (options.peer !== undefined) {
      await joinClusters(options.peer.#side, cluster.#side, number);
    }
    await cluster.#createBase();
    await Promise.all(
      Array.from({ length: options.nodes ?? 2 }, (_, index) => cluster.addNode(index + 1)),
    );
    await cluster.importImages(await made);
    cluster.#stack = stack.move();
    return cluster;
  }

  /** Archives of the images that its nodes were given. */
  get images(): readonly string[] {
    return this.#images;
  }

  /** Where kubectl and helm are, for PATH. */
  get toolFolders(): readonly string[] {
    return [this.#binaries, dirname(this.#helm)];
  }

  get nodeNames(): readonly [string, string] {
    const [first = "", second = first] = this.nodes.map(({ name }) => name);
    return [first, second];
  }

  get client(): KubeClient {
    return this.plane.client;
  }

  /** Starts a node and waits until it is ready. Its number may be one that a removed node had. */
  async addNode(number: number): Promise<Node> {
    const options: NodeOptions = {
      folder: this.folder,
      binaries: this.#binaries,
      addresses: this.#addresses,
      plane: this.plane,
      number,
      images: this.#images,
    };
    const node = await Node.start(options);
    this.nodes.push(node);
    await node.untilReady();
    return node;
  }

  /** Gives all nodes the images of these archives, and those that come later, too. */
  async importImages(archives: readonly string[]): Promise<void> {
    this.#images.push(...archives);
    const each = async (node: Node): Promise<void> => {
      for (const archive of archives) await node.importImage(archive);
    };
    await Promise.all(this.nodes.map(each));
  }

  /** Switches a node off; its object stays until somebody deletes it. */
  async removeNode(node: Node): Promise<void> {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    await node[Symbol.asyncDispose]();
  }

  /** The node of a name. @throws {Error} if there is none */
  node(name: string): Node {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** @returns what it printed @throws {Error} with what it said when it failed */
  kubectl(args: readonly string[], options: { readonly input?: string } = {}): Promise<string> {
    const argv = ["kubectl", "--kubeconfig", this.plane.kubeconfigPath, ...args];
    return this.plane.host.run(argv, options);
  }

  /** @returns what it printed @throws {Error} with what it said when it failed */
  helm(args: readonly string[], options: { readonly input?: string } = {}): Promise<string> {
    const argv = [this.#helm, "--kubeconfig", this.plane.kubeconfigPath, ...args];
    return this.plane.host.run(["env", `HOME=${this.folder.path}`, ...argv], options);
  }

  /** Creates objects or brings them to this state. */
  async apply(...objects: readonly object[]): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    await this.kubectl(applyFlags, { input: JSON.stringify(list) });
  }

  /**
   * Lets us reach a TCP address of the cluster's nodes and pods; services are known to nodes alone.
   *
   * @returns the path of a Unix socket
   */
  async openRelay(host: string, port: number): Promise<string> {
    const name = `relay-${host}-${port}`;
    const path = this.folder.join(`${name}.sock`);
    await rm(path, { force: true });
    const argv = [...relayCommand, path, host, String(port)];
    const logPath = this.folder.join("logs", `${name}.log`);
    await new Component({ name, host: this.plane.host, argv, logPath }).start();
    await eventually(name, () => access(path).then(() => true));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  get #side(): Side {
    return { router: this.plane.host, addresses: this.#addresses };
  }

  async #stopNodes(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map((node) => node[Symbol.asyncDispose]()));
  }

  async #createBase(): Promise<void> {
    for (const { path, body } of baseObjects(this.#addresses)) {
      // The namespaces that are always there come a moment after the API server.
      await eventually(path, () => this.client.create(path, body));
    }
  }
}

function nothing(): void {}
