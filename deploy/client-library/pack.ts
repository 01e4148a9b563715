/**
 * Packs the client library as an npm tarball of its own: JavaScript and types of what it is made of, and
 * as dependencies exactly the packages that this imports.
 *
 *   node deploy/client-library/pack.ts [FOLDER]     prints the path of the tarball
 */
import { execFile } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { VERSION } from "../../runtime/version.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");
const work = join(root, "dist", "client-library");

/** @param folder where the tarball goes @returns its path */
export async function packClientLibrary(folder: string): Promise<string> {
  await rm(work, { recursive: true, force: true });
  const compiler = join(root, "node_modules", ".bin", "tsc");
  await run(compiler, ["-p", join(import.meta.dirname, "tsconfig.json")]);
  const manifest = {
    name: "@assay/spiffe",
    version: VERSION,
    description: "SPIFFE identities for Node workloads: sources, TLS, verification",
    license: "Apache-2.0",
    type: "module",
    engines: { node: ">=24" },
    exports: {
      ".": { types: "./lib/spiffe/client.d.ts", default: "./lib/spiffe/client.js" },
    },
    files: ["lib"],
    dependencies: await dependencies(),
  };
  await writeFile(join(work, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await copyFile(join(root, "LICENSE"), join(work, "LICENSE"));
  await copyFile(join(root, "docs", "client-library.md"), join(work, "README.md"));
  await mkdir(folder, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", resolve(folder)], {
    cwd: work,
  });
  return join(resolve(folder), packedName(JSON.parse(stdout)));
}

/** npm 10 and 11 answer with a list, later ones with an object by package name. */
function packedName(answer: unknown): string {
  const [packed] = Object.values(answer as Record<string, { filename: string }>);
  if (packed === undefined) throw new Error("npm pack named no file");
  return packed.filename;
}

/** What the emitted files import, at the versions of this project. */
async function dependencies(): Promise<Record<string, string>> {
  const { dependencies: versions } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const files = await readdir(join(work, "lib"), { recursive: true });
  const used = new Set<string>();
  for (const file of files.filter((name) => /\.(?:js|d\.ts)$/.test(name))) {
    const text = await readFile(join(work, "lib", file), "utf8");
    for (const [, name = ""] of text.matchAll(/from "([^."][^"]*)"/g)) {
      if (!name.startsWith("node:")) used.add(packageOf(name));
    }
  }
  return Object.fromEntries(
    [...used].sort().map((name) => {
      const version = versions[name];
      if (version === undefined) throw new Error(`${name} is no dependency of this project`);
      return [name, `^${version}`];
    }),
  );
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

if (import.meta.main) {
  const path = await packClientLibrary(process.argv[2] ?? join(root, "dist"));
  process.stdout.write(`${path}\n`);
}
