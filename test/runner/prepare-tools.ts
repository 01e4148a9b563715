import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureBinaries } from "../k8s/build/binaries.ts";
import type { Suite } from "./suites.ts";

/**
 * Makes the tools of other people that these suites run and that the machine may lack: Helm, which the tests of the chart find by
 * ASSAY_TEST_HELM. Before the suites, because a first build takes longer than a test may.
 *
 * @returns what to add to the tests' environment
 */
export async function prepareTools(suites: readonly Suite[]): Promise<Readonly<NodeJS.ProcessEnv>> {
  const wanted = suites.some(({ files }) => files.some((file) => /helm|manifests/.test(file)));
  if (!wanted || process.env["ASSAY_TEST_HELM"] !== undefined) return {};
  const runs = (file: string, ...args: readonly string[]): boolean =>
    spawnSync(file, args, { stdio: "ignore" }).status === 0;
  if (runs("helm", "version") || !runs("go", "version")) return {};
  const folder = await ensureBinaries("helm", (line) => process.stderr.write(`tools: ${line}\n`));
  return { ASSAY_TEST_HELM: join(folder, "helm") };
}
