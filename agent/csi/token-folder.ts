import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../runtime/files/replace-file.ts";
import { isPodUid } from "../holder/pod-socket-name.ts";
import type { TargetPath } from "./target-path.ts";

/**
 * Where the tokens lie that the kubelet hands over for pods (tokenRequests of the CSIDriver object): a folder for each pod, a file
 * for each of its volumes, for root alone. The agent of the node reads them; see podToken in its settings.
 */
export class TokenFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Forgets what pods left that were gone before their volumes were taken out. @param isThere whether a pod has folders here */
  async prune(isThere: (podUid: string) => boolean): Promise<void> {
    const names = await readdir(this.#path).catch(() => []);
    for (const name of names) {
      if (isPodUid(name) && !isThere(name))
        await rm(join(this.#path, name), { recursive: true, force: true });
    }
  }

  /** Keeps what came for a volume, in place of what came before. @param tokens JSON by audience, as the kubelet wrote it */
  async put({ podUid, volume }: TargetPath, tokens: string): Promise<void> {
    const folder = join(this.#path, podUid);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await replaceFile(join(folder, volume), tokens, { mode: 0o600 });
  }

  /** Forgets it; fine if there is nothing. */
  async remove({ podUid, volume }: TargetPath): Promise<void> {
    const folder = join(this.#path, podUid);
    await rm(join(folder, volume), { force: true });
    await rmdir(folder).catch((err: unknown) => {
      const code = err instanceof Error && "code" in err ? err.code : undefined;
      // It may hold the token of another volume of the pod.
      if (code !== "ENOENT" && code !== "ENOTEMPTY") throw err;
    });
  }
}
