import { dirname, join } from "node:path/posix";
import type { Source } from "./sources.ts";

/** The modules a source imports, types included: our own as paths from the root, others as package names. */
export interface Imports {
  readonly own: readonly string[];
  readonly packages: readonly string[];
}

/** Reads import and export-from declarations and dynamic imports of a literal. */
export function readImports(source: Source): Imports {
  const from = /\b(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/g;
  const bare = /\bimport\s*\(?\s*["']([^"']+)["']/g;
  const named = [from, bare].flatMap((pattern) =>
    [...source.code.matchAll(pattern)].flatMap(([, name]) => (name === undefined ? [] : [name])),
  );
  return {
    own: named
      .filter((name) => name.startsWith("."))
      .map((name) => join(dirname(source.path), name)),
    packages: named
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
      .map(packageOf),
  };
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
