import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";

/** One of our own TypeScript files. */
export interface Source {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments blanked out, so that words in prose are not taken for code; line numbers are kept. */
  readonly code: string;
}

/** The checkout's root. */
export const root: string = join(import.meta.dirname, "..", "..");

/** All TypeScript we wrote, generated code left out. */
export async function readSources(): Promise<readonly Source[]> {
  const exclude = ["**/node_modules", "dist", ".assay", "**/gen", "**/target"];
  const paths = await Array.fromAsync(glob("**/*.ts", { cwd: root, exclude }));
  return Promise.all(
    paths.sort().map(async (path) => {
      const text = await readFile(join(root, path), "utf8");
      return { path, text, code: blankComments(text) };
    }),
  );
}

/** Paths with line numbers of every match of `pattern` in a source's code. */
export function findLines(source: Source, pattern: RegExp): readonly string[] {
  return source.code
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`${source.path}:${index + 1}`] : []));
}

/** Whether a path is test code: a unit test or a micro-benchmark beside its file, or anything under test/. */
export function isTestCode(path: string): boolean {
  return path.startsWith("test/") || /\.(test|bench)\.ts$/.test(path);
}

function blankComments(text: string): string {
  const comment = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm;
  return text.replace(comment, (found) => found.replace(/[^\n]/g, " "));
}
