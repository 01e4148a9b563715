import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { unbuiltCommand } from "../../deploy/local/assay-command.ts";
import { Child } from "../../deploy/local/child.ts";
import { Node, type VolumeCapabilitySchema } from "../../proto/gen/csi/v1/csi_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient, type UnaryOptions } from "../../runtime/rpc/client.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { eventually } from "./eventually.ts";
import { TempDir } from "./temp-dir.ts";

/** Name of the driver that runs here. */
export const DRIVER = "csi.assay.test";

/** A pod's volume. */
export interface PodVolume {
  readonly podUid: string;
  readonly volume: string;
}

/** What a kubelet sends, for a test to change. */
export interface PublishRequest {
  readonly volumeId?: string;
  readonly targetPath?: string;
  readonly volumeCapability?: MessageInitShape<typeof VolumeCapabilitySchema>;
  readonly readonly?: boolean;
  readonly volumeContext?: Record<string, string>;
}

const call: UnaryOptions = { signal: new AbortController().signal, timeoutMs: 60_000 };

/**
 * `assay csi run` as a process of its own in a mount namespace, which outlives it as a node's does, and the kubelet that calls it.
 */
export class CsiMachine implements AsyncDisposable {
  readonly dir: TempDir;
  readonly #namespace: number;
  readonly #stack: AsyncDisposableStack;
  #child: Child | undefined;

  private constructor(dir: TempDir, namespace: number, stack: AsyncDisposableStack) {
    this.dir = dir;
    this.#namespace = namespace;
    this.#stack = stack;
  }

  /** Starts nothing yet. */
  static async open(settings: Readonly<Record<string, unknown>> = {}): Promise<CsiMachine> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await TempDir.open(0o755));
    await mkdir(dir.join("kubelet", "pods"), { recursive: true });
    const keeper = spawn("unshare", ["--mount", "sh", "-c", "echo here; exec sleep 600"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    stack.defer(async () => {
      keeper.kill("SIGKILL");
      await once(keeper, "exit");
    });
    await once(keeper.stdout, "data");
    const machine = new CsiMachine(dir, keeper.pid ?? 0, stack.move());
    await machine.configure(settings);
    return machine;
  }

  /** Writes the driver's configuration, for when it starts. */
  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const { dir } = this;
    const text = stringify({
      driver: { name: DRIVER, kubeletDir: dir.join("kubelet") },
      workloadSocket: { path: dir.join("workload", "api.sock") },
      holderSocket: { path: dir.join("holder", "h.sock") },
      podTokens: { folder: dir.join("tokens") },
      observability: { enabled: false },
      publish: { waitFor: "socket" },
      ...settings,
    });
    await writeFile(dir.join("csi.yaml"), text);
  }

  /** Opens a machine and starts the driver. */
  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<CsiMachine> {
    const machine = await CsiMachine.open(settings);
    try {
      await machine.startDriver();
      return machine;
    } catch (err) {
      await machine[Symbol.asyncDispose]();
      throw err;
    }
  }

  /** Resolves when the driver answers the kubelet. */
  async startDriver(): Promise<Child> {
    const { file, args } = unbuiltCommand;
    // What a crash left would be taken for the new one's.
    await rm(this.registrationSocket, { force: true });
    this.#child = await Child.start({
      name: "csi",
      file: "nsenter",
      args: [
        `--mount=/proc/${this.#namespace}/ns/mnt`,
        file,
        ...args,
        "csi",
        "run",
        "--config",
        this.dir.join("csi.yaml"),
      ],
      logPath: this.dir.join("csi.log"),
      env: { ...process.env, ASSAY_NODE_NAME: "node-1" },
    });
    await eventually("the driver", () => existsSync(this.registrationSocket) || undefined);
    return this.#child;
  }

  /** Ends the driver without a chance to clean up. */
  async crash(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  get registrationSocket(): string {
    return this.dir.join("kubelet", "plugins_registry", `${DRIVER}-reg.sock`);
  }

  get driverSocket(): string {
    return this.dir.join("kubelet", "plugins", DRIVER, "csi.sock");
  }

  get workloadSocket(): string {
    return this.dir.join("workload", "api.sock");
  }

  get holderSocket(): string {
    return this.dir.join("holder", "h.sock");
  }

  /** What the driver has logged. */
  log(): Promise<string> {
    return readFile(this.dir.join("csi.log"), "utf8");
  }

  /** Calls the driver on a connection of its own, as the kubelet does. */
  async call<S extends DescService, T>(
    service: S,
    path: string,
    work: (client: Client<S>, options: UnaryOptions) => Promise<T>,
  ): Promise<T> {
    const channel = openChannel({ target: `unix:${path}` });
    try {
      return await work(createClient(service, channel), call);
    } finally {
      channel.close();
    }
  }

  /** Folder of a volume. */
  folder({ podUid, volume }: PodVolume): string {
    return this.dir.join("kubelet", "pods", podUid, "volumes", "kubernetes.io~csi", volume);
  }

  /** Where the volume is to appear. */
  targetPath(volume: PodVolume): string {
    return `${this.folder(volume)}/mount`;
  }

  /** Makes the folder and the note that a kubelet makes before it calls. */
  async prepare(volume: PodVolume, driverName: string = DRIVER): Promise<void> {
    await mkdir(this.folder(volume), { recursive: true, mode: 0o750 });
    const note = JSON.stringify({ driverName, volumeLifecycleMode: "Ephemeral" });
    await writeFile(`${this.folder(volume)}/vol_data.json`, note);
  }

  /** What a kubelet asks for a volume. */
  request(volume: PodVolume): PublishRequest {
    return {
      volumeId: `csi-${volume.podUid}-${volume.volume}`,
      targetPath: this.targetPath(volume),
      volumeCapability: { accessType: { case: "mount", value: {} } },
      readonly: true,
      volumeContext: {
        "csi.storage.k8s.io/ephemeral": "true",
        "csi.storage.k8s.io/pod.uid": volume.podUid,
        "csi.storage.k8s.io/pod.name": "pod",
        "csi.storage.k8s.io/pod.namespace": "ns",
      },
    };
  }

  /** @throws {StatusError} the driver's refusal */
  async publish(volume: PodVolume, changes: PublishRequest = {}): Promise<void> {
    const request = { ...this.request(volume), ...changes };
    await this.call(Node, this.driverSocket, (node, o) => node.nodePublishVolume(request, o));
  }

  /** @throws {StatusError} the driver's refusal */
  async unpublish(volume: PodVolume, targetPath: string = this.targetPath(volume)): Promise<void> {
    const request = { volumeId: "csi-1", targetPath };
    await this.call(Node, this.driverSocket, (node, o) => node.nodeUnpublishVolume(request, o));
  }

  /** A path as it is seen in the node's mount namespace. */
  onNode(path: string): string {
    return `/proc/${this.#namespace}/root${path}`;
  }

  /** Options of the mounts at a path on the node, one for each. */
  async mountsAt(path: string): Promise<readonly string[]> {
    const text = await readFile(`/proc/${this.#namespace}/mountinfo`, "utf8");
    return text.split("\n").flatMap((line) => {
      const [, , , , at, options = ""] = line.split(" ");
      return at === path ? [options] : [];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop(systemClock);
    await this.#stack.disposeAsync();
  }
}
