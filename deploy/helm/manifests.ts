// The plain manifests: what the chart gives with its default values, a file for each part, without what only Helm reads.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

/** The chart's folder. */
export const chart: string = join(import.meta.dirname, "assay");

/** The file of a template's output: the part that its name begins with, else a file of its own. */
const PARTS = ["server", "agent", "csi"];

const ONLY_HELM = /^ *(?:helm\.sh\/chart: .*|app\.kubernetes\.io\/managed-by: Helm)\n/gm;

const HEADER = "# Generated from deploy/helm/assay by `npm run manifests`. Do not edit.\n";

/**
 * The text of each file of deploy/kubernetes by its name, as `helm template` gives it.
 *
 * @param helm the command, looked for in PATH if it is no path
 */
export async function plainManifests(helm: string): Promise<ReadonlyMap<string, string>> {
  const documents = new Map<string, string[]>();
  for (const { source, text } of splitDocuments(await render(helm))) {
    const file = fileOf(source);
    documents.set(file, [...(documents.get(file) ?? []), text]);
  }
  const files = [...documents.keys()].sort();
  return new Map([
    ...files.map((file) => [file, HEADER + (documents.get(file) ?? []).join("---\n")] as const),
    ["kustomization.yaml", kustomization(files)],
  ]);
}

async function render(helm: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    helm,
    ["template", "assay", chart, "--namespace", "assay-system", "--include-crds"].concat(
      // What is rendered must not depend on what this Helm was built with.
      ["--kube-version", "1.33.0", "--set", "namespace.create=true"],
    ),
    { maxBuffer: 16 * 1024 * 1024 },
  );
  return stdout;
}

interface Rendered {
  /** Below the chart's folder. */
  readonly source: string;
  readonly text: string;
}

function splitDocuments(output: string): readonly Rendered[] {
  return output.split(/^---\n# Source: assay\//m).flatMap((part) => {
    const end = part.indexOf("\n");
    const text = part.slice(end + 1).replace(ONLY_HELM, "");
    return end < 0 || text.trim() === ""
      ? []
      : [{ source: part.slice(0, end), text: `${text.trimEnd()}\n` }];
  });
}

function fileOf(source: string): string {
  if (source.startsWith("crds/")) return "crds.yaml";
  const name = source.replace("templates/", "");
  const part = PARTS.find((prefix) => name.startsWith(`${prefix}-`));
  return part === undefined ? name : `${part}.yaml`;
}

/** Without the definitions of the resources: they come first, and deleting them deletes every resource of the cluster. */
function kustomization(files: readonly string[]): string {
  return `${HEADER}apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
${files
  .filter((file) => file !== "crds.yaml")
  .map((file) => `  - ${file}\n`)
  .join("")}`;
}
