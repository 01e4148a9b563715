import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of a test's own that goes when the test ends: `await using dir = await TempDir.open()`. */
export class TempDir implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** For this user only, unless a mode is given that says otherwise. */
  static async open(mode = 0o700): Promise<TempDir> {
    // Short on purpose: the path of a Unix socket may have 107 bytes.
    const path = await mkdtemp(join(tmpdir(), "assay-"));
    await chmod(path, mode);
    return new TempDir(path);
  }

  /** The path of a file in the folder. */
  join(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
