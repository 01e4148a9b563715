import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Plugin } from "esbuild";

/**
 * Makes `new URL("./worker.ts", import.meta.url)` name the file that the worker's source becomes. All files of a release lie in one
 * folder, so the name is enough, whichever of them the expression ends up in. A worker that is no part of the release is an error.
 *
 * @param root the folder of the sources
 * @param parts names of the release's files, with the sources they are made from, relative to `root`
 */
export function workerUrls(root: string, parts: Readonly<Record<string, string>>): Plugin {
  const names = new Map(Object.entries(parts).map(([name, source]) => [source, name]));
  return {
    name: "worker-urls",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const contents = text.replaceAll(
          /new URL\("(\.[^"]+\.ts)", import\.meta\.url\)/g,
          (_, target: string) => {
            const source = relative(root, join(dirname(path), target));
            const name = names.get(source);
            if (name === undefined)
              throw new Error(`${source} is a worker and no part of a release`);
            return `new URL("./${name}.mjs", import.meta.url)`;
          },
        );
        return { contents, loader: "ts" };
      });
    },
  };
}
