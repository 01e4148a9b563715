import { basename, join } from "node:path";
import { build, type Metafile } from "esbuild";
import { nativePackages } from "./native-packages.ts";
import { type PartName, parts } from "./parts.ts";
import { workerUrls } from "./worker-urls.ts";

const root = join(import.meta.dirname, "..", "..");

/** What the sources become. */
export interface Bundle {
  /** File names, all in one folder, with their contents. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** For each part the sources that it has loaded once it stands; what it loads later, on demand, is not among them. */
  loads(part: PartName): readonly string[];
  /** Every source in the bundle, relative to the root of the repository. */
  readonly sources: readonly string[];
}

/** What a dependency would load for something that we do not use: gRPC for its channelz service. */
const neverLoaded = ["@grpc/proto-loader"];

/**
 * Bundles the sources. The same sources give the same bytes. Without white space, since a running process keeps the text of what it runs;
 * with every name, so that a stack trace tells where it was. No source maps: they would have to be loaded to be of use.
 */
export async function bundle(): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: parts,
    outdir: ".",
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    external: [...nativePackages, ...neverLoaded],
    // A linked node_modules is a folder like any other: its place elsewhere must not show in the output.
    preserveSymlinks: true,
    // They are collected in the release's notices.
    legalComments: "none",
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    plugins: [workerUrls(root, parts)],
    banner: { js: requireForCommonJs },
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  return {
    files: new Map(outputFiles.map(({ path, contents }) => [basename(path), contents])),
    loads: (part) => loadsOf(metafile, part),
    sources: Object.keys(metafile.inputs).sort(),
  };
}

/** CommonJS packages that end up in a module call `require` for the modules of Node. */
const requireForCommonJs = `import { createRequire as createRequire_ } from "node:module";
const require = createRequire_(import.meta.url);`;

function loadsOf({ outputs }: Metafile, part: string): readonly string[] {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const output = outputs[path];
    if (output === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { kind, path: next } of output.imports) {
      if (kind === "import-statement") visit(next);
    }
  };
  visit(`${part}.mjs`);
  return [...seen].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {})).sort();
}
