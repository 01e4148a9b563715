// The chart as an API server would get it.

import { spawnSync } from "node:child_process";
import { parseAllDocuments } from "yaml";
import { chart } from "../../deploy/helm/manifests.ts";

/** The command; tests may be given another one than PATH has. */
export const helmCommand: string = process.env["ASSAY_TEST_HELM"] ?? "helm";

/** An object of the Kubernetes API, as far as tests look into it. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // biome-ignore lint/suspicious/noExplicitAny: the shape depends on the kind, and tests look at many
  readonly [field: string]: any;
}

/** What Helm said, and with which code. */
export interface HelmAnswer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Renders the chart with values laid over its own. */
export function helmTemplate(values: object = {}, ...flags: readonly string[]): HelmAnswer {
  return spawnSync(
    helmCommand,
    ["template", "assay", chart, "--namespace", "assay-system", "--values", "-"].concat(
      flags.includes("--kube-version") ? [] : ["--kube-version", "1.34.0"],
      flags,
    ),
    { input: JSON.stringify(values), encoding: "utf8", maxBuffer: 16 * 1024 * 1024 },
  );
}

/** The objects that the chart makes of values. @throws when it refuses them */
export function renderChart(values: object = {}, ...flags: readonly string[]): Manifest[] {
  const { status, stdout, stderr } = helmTemplate(values, ...flags);
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS())
    .filter((object) => object !== null);
}

/** The one object of that kind and name. */
export function findManifest(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((each) => each.kind === kind && each.metadata.name === name);
  const [only] = found;
  if (only === undefined || found.length > 1) throw new Error(`${found.length} of ${kind} ${name}`);
  return only;
}
