// Builds the programs of test/interop that are written in other languages.

import { createHash } from "node:crypto";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "./interop.ts";

const interopFolder = join(import.meta.dirname, "..", "interop");
// Survives a run and is never committed.
const cacheFolder = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "interop");

/** A Go command of `test/interop/go`, built; Go's own cache makes all but the first build quick. */
export class GoProgram {
  readonly file: string;
  readonly #folder: string;

  private constructor(folder: string, file: string) {
    this.#folder = folder;
    this.file = file;
  }

  /** @throws {Error} with the compiler's words */
  static async build(command: string): Promise<GoProgram> {
    const folder = await mkdtemp(join(tmpdir(), "assay-go-"));
    const file = join(folder, command);
    await runToEnd({
      file: "go",
      args: ["build", "-mod=readonly", "-o", file, `./cmd/${command}`],
      cwd: join(interopFolder, "go"),
    });
    return new GoProgram(folder, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A Python with the packages of `test/interop/python/requirements.txt`; made anew when the list changed.
 *
 * @returns the path of its interpreter
 */
export async function ensurePythonEnvironment(): Promise<string> {
  const requirements = join(interopFolder, "python", "requirements.txt");
  const digest = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  const folder = join(cacheFolder, `python-${digest.slice(0, 16)}`);
  const python = join(folder, "bin", "python");
  const finished = join(folder, "finished");
  if (await exists(finished)) return python;
  await rm(folder, { recursive: true, force: true });
  await runToEnd({ file: "python3", args: ["-m", "venv", folder] });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await runToEnd({ file: python, args: [...pip, "-r", requirements] });
  await writeFile(finished, "");
  return python;
}

/**
 * The Rust program of `test/interop/rust`, built in a cache.
 *
 * @returns the path of the binary
 */
export async function buildRust(): Promise<string> {
  const target = join(cacheFolder, "rust");
  await runToEnd({
    file: "cargo",
    args: ["build", "--quiet", "--locked", "--target-dir", target],
    cwd: join(interopFolder, "rust"),
  });
  return join(target, "debug", "assay-interop");
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
