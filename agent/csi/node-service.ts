import type {
  Node,
  NodePublishVolumeRequest,
  NodeUnpublishVolumeRequest,
} from "../../proto/gen/csi/v1/csi_pb.ts";
import {
  aborted,
  failedPrecondition,
  internal,
  invalidArgument,
  StatusError,
} from "../../runtime/errors/status-error.ts";
import { MountError } from "../../runtime/mount/mount-calls.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import type { PodSockets } from "../holder/pod-sockets.ts";
import type { AgentWait } from "./agent-wait.ts";
import type { TargetPath } from "./target-path.ts";
import type { TokenFolder } from "./token-folder.ts";
import type { Volumes } from "./volumes.ts";

/** What the node's half of the driver is made from. */
export interface NodeServiceDeps {
  readonly nodeId: string;
  readonly volumes: Volumes;
  /** The folder that pods get which have no socket of their own. */
  readonly socketDir: string;
  /** With them a volume gets a socket of its own. */
  readonly podSockets?: PodSockets | undefined;
  /** Without it the tokens of pods are not kept. */
  readonly tokens?: TokenFolder | undefined;
  readonly wait: AgentWait;
}

/** What the kubelet says of a pod, beside the attributes that the pod chose itself; its own words win. */
const EPHEMERAL = "csi.storage.k8s.io/ephemeral";
const POD_UID = "csi.storage.k8s.io/pod.uid";
const POD_NAME = "csi.storage.k8s.io/pod.name";
const POD_NAMESPACE = "csi.storage.k8s.io/pod.namespace";
/** Comes with tokenRequests of the CSIDriver object, and again with each new token (requiresRepublish). */
const POD_TOKENS = "csi.storage.k8s.io/serviceAccount.tokens";

/** An answer that says no more than that it was done. */
type Empty = Readonly<Record<string, never>>;

const MAX_ID_BYTES = 256;

/** Mounts the socket's folder into pods of this node, once there is an agent, and takes it out again. */
export class NodeService implements Handlers<typeof Node> {
  readonly #deps: NodeServiceDeps;
  /** Target paths that are being worked on. */
  readonly #busy = new Set<string>();

  constructor(deps: NodeServiceDeps) {
    this.#deps = deps;
  }

  async nodePublishVolume(request: NodePublishVolumeRequest, ctx: CallContext): Promise<Empty> {
    const { volumes } = this.#deps;
    const target = volumes.locate(checkPublish(request));
    const context = request.volumeContext;
    if (context[POD_UID] !== target.podUid) {
      throw badRequest("target_path and volume_context name different pods");
    }
    using _ = this.#take(request.targetPath);
    const given = context[POD_TOKENS];
    if (given !== undefined) await this.#deps.tokens?.put(target, given);
    const isNew = await this.#publish(target, ctx.signal);
    const pod = { pod_namespace: context[POD_NAMESPACE], pod_name: context[POD_NAME] };
    ctx.log.info({ ...fieldsOf(target), ...pod, is_new: isNew }, "Volume published");
    return {};
  }

  async nodeUnpublishVolume(request: NodeUnpublishVolumeRequest, ctx: CallContext): Promise<Empty> {
    const { volumes, tokens, podSockets } = this.#deps;
    checkId(request.volumeId);
    const target = volumes.locate(request.targetPath);
    using _ = this.#take(request.targetPath);
    const wasThere = orStatus(() => volumes.unpublish(target));
    await tokens?.remove(target);
    await podSockets?.remove(target);
    ctx.log.info({ ...fieldsOf(target), was_there: wasThere }, "Volume unpublished");
    return {};
  }

  /** What was never published the kubelet may never ask to take out: then its token and socket must not stay. */
  async #publish(target: TargetPath, signal: AbortSignal): Promise<boolean> {
    const { volumes, tokens, podSockets, socketDir, wait } = this.#deps;
    try {
      await wait.untilServed(signal);
      const own = await podSockets?.folderFor(target);
      return orStatus(() => volumes.publish(target, own ?? socketDir, own ? [socketDir] : []));
    } catch (err) {
      if (!volumes.isPublished(target)) {
        await tokens?.remove(target);
        await podSockets?.remove(target);
      }
      throw err;
    }
  }

  async nodeGetCapabilities(): Promise<Empty> {
    return {};
  }

  async nodeGetInfo(): Promise<{ readonly nodeId: string }> {
    return { nodeId: this.#deps.nodeId };
  }

  /** @throws {StatusError} ABORTED, as CSI wants it, while another call works there */
  #take(path: string): Disposable {
    if (this.#busy.has(path)) throw aborted("another call works on this volume");
    this.#busy.add(path);
    return { [Symbol.dispose]: () => this.#busy.delete(path) };
  }
}

function checkPublish(request: NodePublishVolumeRequest): string {
  const { volumeId, targetPath, volumeCapability, readonly, volumeContext } = request;
  checkId(volumeId);
  const access = volumeCapability?.accessType;
  if (access?.case !== "mount") throw badRequest("volume_capability is not mount");
  const { fsType, mountFlags, volumeMountGroup } = access.value;
  if (fsType !== "" || mountFlags.length > 0 || volumeMountGroup !== "") {
    throw badRequest("fs_type, mount_flags and volume_mount_group make no sense here");
  }
  if (volumeContext[EPHEMERAL] !== "true") {
    throw badRequest(
      `volume_context has no ${EPHEMERAL}=true: only inline volumes of pods are served, and the CSIDriver needs podInfoOnMount`,
    );
  }
  if (!readonly) throw badRequest("the volume has to be readOnly (volumes[].csi.readOnly: true)");
  return targetPath;
}

function checkId(volumeId: string): void {
  if (volumeId === "" || Buffer.byteLength(volumeId) > MAX_ID_BYTES) {
    throw badRequest(`volume_id has not 1 to ${MAX_ID_BYTES} bytes`);
  }
}

function badRequest(message: string): StatusError {
  return invalidArgument(message, { reason: "csi_request" });
}

/** What the file system or the kernel refused, as a status that names it: the kubelet shows it with the pod. */
function orStatus<T>(work: () => T): T {
  try {
    return work();
  } catch (err) {
    if (err instanceof StatusError) throw err;
    if (err instanceof MountError) throw internal(err.message, { reason: "csi_mount", cause: err });
    const code = err instanceof Error && "code" in err ? String(err.code) : "unknown error";
    const message = `the volume's folder is not as the kubelet makes it (${code})`;
    throw failedPrecondition(message, { reason: "csi_folder", cause: err });
  }
}

function fieldsOf({ podUid, volume }: TargetPath): object {
  return { pod_uid: podUid, volume };
}
