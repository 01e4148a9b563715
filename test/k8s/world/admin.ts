import { randomUUID } from "node:crypto";
import { symlink } from "node:fs/promises";
import type { DescService } from "@bufbuild/protobuf";
import { Entry as Entries } from "../../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Entry } from "../../../proto/gen/spire/api/types/entry_pb.ts";
import { openChannel } from "../../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../../runtime/rpc/client.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Pod } from "../cluster/pods.ts";
import { system } from "./world.ts";

/**
 * An administrator at the server's own socket, as whoever is root in the server's pod is one. The socket lies in a volume of the
 * pod, so we reach it through the files of the node.
 */
export class Admin implements Disposable {
  readonly #channel: ReturnType<typeof openChannel>;

  private constructor(channel: ReturnType<typeof openChannel>) {
    this.#channel = channel;
  }

  /** To the server's pod that runs now; a new pod has a new socket. */
  static async open(cluster: Cluster): Promise<Admin> {
    const pod = await cluster.client.get<Pod>(`/api/v1/namespaces/${system}/pods/assay-server-0`);
    const node = cluster.node(pod.spec?.nodeName ?? "");
    const volumes = `/var/lib/kubelet/pods/${pod.metadata.uid}/volumes`;
    const path = `${volumes}/kubernetes.io~empty-dir/run/admin.sock`;
    // By a shorter name: the path of a Unix socket may have 107 bytes.
    const link = cluster.folder.join(`admin-${randomUUID().slice(0, 8)}`);
    await symlink(node.host.path(path), link);
    return new Admin(openChannel({ target: `unix:${link}` }));
  }

  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#channel);
  }

  /** All entries; there are few enough for one answer. */
  async entries(): Promise<readonly Entry[]> {
    const call = { signal: AbortSignal.timeout(60_000), timeoutMs: 60_000 };
    return (await this.client(Entries).listEntries({}, call)).entries;
  }

  /** Those that rest on the pod's UID. */
  async entriesOf(uid: string): Promise<readonly Entry[]> {
    const isOf = ({ type, value }: { type: string; value: string }): boolean =>
      type === "k8s" && value === `pod-uid:${uid}`;
    return (await this.entries()).filter(({ selectors }) => selectors.some(isOf));
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
