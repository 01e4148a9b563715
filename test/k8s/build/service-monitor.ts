import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";

const module = "github.com/prometheus-operator/prometheus-operator";
const version = "v0.85.0";
/** Of the module's files, as Go's checksum database has it. */
const sum = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=";
const limitMs = 120_000;

/**
 * The definition of ServiceMonitor as the Prometheus operator installs it.
 *
 * @throws {Error} when the module is not the pinned one
 */
export async function serviceMonitorDefinition(): Promise<object> {
  const download = ["mod", "download", "-json", `${module}@${version}`];
  const { stdout } = await promisify(execFile)("go", download, {
    // Outside of any module of ours.
    cwd: tmpdir(),
    timeout: limitMs,
  });
  const found: { readonly Dir: string; readonly Sum: string } = JSON.parse(stdout);
  if (found.Sum !== sum) throw new Error(`${module} ${version} has the sum ${found.Sum}`);
  const folder = join(found.Dir, "example", "prometheus-operator-crd");
  const file = join(folder, "monitoring.coreos.com_servicemonitors.yaml");
  return parse(await readFile(file, "utf8")) as object;
}
