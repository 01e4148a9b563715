import type { KubeCluster } from "../cluster/kube-cluster.ts";

/** Kinds that come and go by themselves. */
const RESTLESS = /^(?:events|leases|pods|endpoints|endpointslices|controllerrevisions)\b/;

/** The names of all objects of a cluster, as "kind namespace/name", without what comes and goes by itself. */
export async function listEverything(cluster: KubeCluster): Promise<ReadonlySet<string>> {
  const kinds = (await cluster.kubectl(["api-resources", "--verbs=list", "-o", "name"]))
    .split("\n")
    .filter((kind) => kind !== "" && !RESTLESS.test(kind));
  const names = await Promise.all(
    kinds.map(async (kind) => {
      const template = '{range .items[*]}{.metadata.namespace}{"/"}{.metadata.name}{"\\n"}{end}';
      const found = await cluster.kubectl(["get", kind, "-A", "-o", `jsonpath=${template}`]);
      const [plural = ""] = kind.split(".");
      return found
        .split("\n")
        .filter((name) => name !== "")
        .map((name) => `${plural} ${name.replace(/^\//, "")}`);
    }),
  );
  return new Set(names.flat());
}
