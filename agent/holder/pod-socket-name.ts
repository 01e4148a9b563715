import { createHash } from "node:crypto";

/** A volume of a pod, which has a socket of its own. */
export interface PodVolumeName {
  readonly podUid: string;
  /** Name of the volume's folder. */
  readonly volume: string;
}

const POD_UID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}";
const WHOLE_UID = new RegExp(`^(?:${POD_UID})$`);
const NAME = new RegExp(`^(${POD_UID})\\.[0-9a-f]{16}$`);

/**
 * Name of the folder that holds a volume's socket: the pod's UID, and so much of the volume's name that the address of a socket has
 * room for it. Undefined for a pod that no API server made.
 */
export function podSocketName({ podUid, volume }: PodVolumeName): string | undefined {
  const digest = createHash("sha256").update(volume).digest("hex").slice(0, 16);
  const name = `${podUid}.${digest}`;
  return NAME.test(name) ? name : undefined;
}

/** Whether this is the UID of a pod that an API server made, or of a static one. */
export function isPodUid(text: string): boolean {
  return WHOLE_UID.test(text);
}

/** UID of the pod whose socket has this name; undefined for anything else. */
export function podOfSocketName(name: string): string | undefined {
  return NAME.exec(name)?.[1];
}
