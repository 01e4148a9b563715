import { failedPrecondition, type StatusError } from "../../runtime/errors/status-error.ts";
import { Directory } from "../../runtime/mount/directory.ts";
import type { MountCalls } from "../../runtime/mount/mount-calls.ts";
import { parseTargetPath, type TargetPath } from "./target-path.ts";

/** What volumes are made from. */
export interface VolumesDeps {
  /** Name of the driver, as the kubelet notes it beside each volume. */
  readonly driverName: string;
  /** The kubelet's folder, without a slash at its end. */
  readonly kubeletDir: string;
  readonly mounts: MountCalls;
}

/** The last name of every target path. */
const MOUNT_POINT = "mount";

/** For the kubelet and root alone, like the folders around it. */
const MOUNT_POINT_MODE = 0o750;

/** What the kubelet notes about a volume, beside the mount point. */
const VOLUME_DATA = "vol_data.json";
const MAX_VOLUME_DATA_BYTES = 64 * 1024;

/** Mounts on top of each other that are taken away; one is usual. */
const MAX_STACKED = 16;

/**
 * The mounts of the socket's folder in pods. There is no state but the mounts themselves, so a restart loses nothing. Everything
 * is done in one go and through handles: no call is half done when it fails, and no link leads it astray.
 */
export class Volumes {
  readonly #deps: VolumesDeps;

  constructor(deps: VolumesDeps) {
    this.#deps = deps;
  }

  /** Where a path leads. @throws {StatusError} INVALID_ARGUMENT */
  locate(targetPath: string): TargetPath {
    return parseTargetPath(this.#deps.kubeletDir, targetPath);
  }

  /**
   * Makes the folder appear there; fine if one of these does already.
   *
   * @param source the folder that a pod gets now
   * @param others folders that a running pod may have got earlier
   * @returns whether it was not there before
   * @throws {StatusError} FAILED_PRECONDITION if the volume has no folder, or something else is there
   */
  publish(target: TargetPath, source: string, others: readonly string[] = []): boolean {
    using folder = this.#openFolder(target);
    if (folder === undefined) throw refused("the kubelet has made no folder for the volume");
    this.#refuseForeign(folder);
    using mountPoint = openMountPoint(folder);
    if (mountPoint.mountId === folder.mountId) {
      using opened = Directory.open(source);
      this.#deps.mounts.mountReadOnly(opened, mountPoint);
      return true;
    }
    if ([source, ...others].some((path) => isAt(path, mountPoint))) return false;
    throw refused("something else is mounted at target_path");
  }

  /**
   * Takes it away, with the mount point; fine if there is none.
   *
   * @returns whether it was there
   * @throws {StatusError} FAILED_PRECONDITION if it belongs to another driver, or holds files
   */
  unpublish(target: TargetPath): boolean {
    using folder = this.#openFolder(target);
    if (folder === undefined) return false;
    this.#refuseForeign(folder);
    let wasMounted = false;
    for (let i = 0; i < MAX_STACKED; i++) {
      using mountPoint = folder.child(MOUNT_POINT);
      if (mountPoint === undefined) return wasMounted;
      if (mountPoint.mountId === folder.mountId) break;
      this.#deps.mounts.unmount(folder, MOUNT_POINT);
      wasMounted = true;
    }
    folder.removeChild(MOUNT_POINT);
    return wasMounted;
  }

  /** Whether anything is mounted there, or may be. */
  isPublished(target: TargetPath): boolean {
    try {
      using folder = this.#openFolder(target);
      using mountPoint = folder?.child(MOUNT_POINT);
      return mountPoint !== undefined && mountPoint.mountId !== folder?.mountId;
    } catch {
      return true;
    }
  }

  #openFolder({ podUid, volume }: TargetPath): Directory | undefined {
    let folder: Directory | undefined = Directory.open(`${this.#deps.kubeletDir}/pods`);
    for (const name of [podUid, "volumes", "kubernetes.io~csi", volume]) {
      using parent: Directory = folder;
      folder = parent.child(name);
      if (folder === undefined) return undefined;
    }
    return folder;
  }

  /** The kubelet notes the driver before it calls it. A volume without that note is judged by what is mounted. */
  #refuseForeign(folder: Directory): void {
    const text = folder.readFile(VOLUME_DATA, MAX_VOLUME_DATA_BYTES);
    if (text !== undefined && driverIn(text) !== this.#deps.driverName) {
      throw refused("the kubelet has noted another driver for the volume");
    }
  }
}

function isAt(path: string, mountPoint: Directory): boolean {
  using opened = Directory.open(path);
  return mountPoint.isSame(opened);
}

function openMountPoint(folder: Directory): Directory {
  const existing = folder.child(MOUNT_POINT);
  if (existing !== undefined) return existing;
  folder.makeChild(MOUNT_POINT, MOUNT_POINT_MODE);
  const made = folder.child(MOUNT_POINT);
  if (made === undefined) throw new Error("mount point has gone");
  return made;
}

function driverIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "driverName" in value) {
      return value.driverName;
    }
  } catch {
    // As good as no name.
  }
  return undefined;
}

function refused(message: string): StatusError {
  return failedPrecondition(message, { reason: "csi_not_ours" });
}
