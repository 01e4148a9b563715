import { glob } from "node:fs/promises";
import { join } from "node:path";

const minute = 60_000;

/** A group of test files that run under the same conditions. */
export interface Suite {
  readonly name: string;
  /** How many files run at a time. */
  readonly concurrency: number;
  /** How long one test may take, and how long the suite may go on without finishing anything, in milliseconds. */
  readonly timeoutMs: number;
  /** Absolute paths, in the order in which they begin. */
  readonly files: readonly string[];
}

/**
 * The suites in the order they run: quick answers first, builds of other people's software next, then the stories that
 * kill processes and fill disks, and last those that need a whole cluster.
 *
 * @param wanted only files whose path contains one of these; all if empty
 */
export async function findSuites(
  root: string,
  options: { readonly wanted: readonly string[]; readonly long: boolean },
): Promise<readonly Suite[]> {
  const files = await findTestFiles(root, options.wanted);
  const isIn = (folder: string) => (file: string) => file.startsWith(join(root, "test", folder));
  const folders = ["integration", "interop", "federation", "consumers", "e2e", "k8s"];
  const isUnit = (file: string): boolean => !folders.some((folder) => isIn(folder)(file));
  return [
    {
      name: "unit and conformance",
      concurrency: 2,
      timeoutMs: minute,
      files: files.filter(isUnit),
    },
    {
      name: "integration",
      concurrency: 2,
      timeoutMs: 2 * minute,
      files: files.filter(isIn("integration")),
    },
    {
      name: "interop",
      concurrency: 1,
      timeoutMs: 20 * minute,
      files: files.filter(isIn("interop")),
    },
    {
      name: "federation and consumers",
      concurrency: 2,
      timeoutMs: (options.long ? 30 : 5) * minute,
      files: files.filter((file) => isIn("federation")(file) || isIn("consumers")(file)),
    },
    {
      name: "e2e",
      concurrency: 2,
      timeoutMs: (options.long ? 60 : 5) * minute,
      files: files.filter(isIn("e2e")),
    },
    {
      name: "k8s",
      // Each waits most of the time.
      concurrency: 2,
      // The first run on a machine builds Kubernetes.
      timeoutMs: 30 * minute,
      // The one that takes longest begins: its name comes last.
      files: files.filter(isIn("k8s")).toReversed(),
    },
  ].filter((suite) => suite.files.length > 0);
}

async function findTestFiles(root: string, wanted: readonly string[]): Promise<readonly string[]> {
  const exclude = ["**/node_modules", "dist", ".assay", "**/target"];
  const paths = await Array.fromAsync(glob("**/*.test.ts", { cwd: root, exclude }));
  return paths
    .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
    .sort()
    .map((path) => join(root, path));
}
