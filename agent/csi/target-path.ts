import { invalidArgument, type StatusError } from "../../runtime/errors/status-error.ts";

/** Where the kubelet wants a volume of a pod. */
export interface TargetPath {
  readonly podUid: string;
  /** Name of the volume's folder, which holds the mount point and what the kubelet notes about the volume. */
  readonly volume: string;
}

/** Names of folders on the way: they have no meaning to the file system. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,252}$/;

const MAX_LENGTH = 4096;

/**
 * Takes apart `KUBELET_DIR/pods/POD_UID/volumes/kubernetes.io~csi/VOLUME/mount`, the only place where a CSI volume of a pod can be.
 *
 * @throws {StatusError} INVALID_ARGUMENT for anything else
 */
export function parseTargetPath(kubeletDir: string, path: string): TargetPath {
  const prefix = `${kubeletDir}/pods/`;
  if (path.length > MAX_LENGTH || !path.startsWith(prefix)) throw refused(prefix);
  const [podUid = "", volumes, plugin, volume = "", mount, ...rest] = path
    .slice(prefix.length)
    .split("/");
  const isShaped = volumes === "volumes" && plugin === "kubernetes.io~csi" && mount === "mount";
  if (!isShaped || rest.length > 0 || !NAME.test(podUid) || !NAME.test(volume)) {
    throw refused(prefix);
  }
  return { podUid, volume };
}

function refused(prefix: string): StatusError {
  return invalidArgument(
    `target_path is not ${prefix}POD_UID/volumes/kubernetes.io~csi/VOLUME/mount`,
    { reason: "csi_target_path" },
  );
}
