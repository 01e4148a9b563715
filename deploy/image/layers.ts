import { below, type TreeEntry } from "../release/file-tree.ts";
import { kernelLauncher } from "../release/launchers.ts";
import type { Release } from "../release/release.ts";
import type { Layer } from "./oci-archive.ts";

/** Where the release lies in an image. */
const home = "opt/assay";

/**
 * An image's layers, from what changes least to what changes most.
 *
 * @param base libraries and accounts
 * @param sbom is put beside the licences
 */
export function imageLayers(
  base: readonly TreeEntry[],
  { node, native, bundles, licences }: Release,
  sbom: string,
): readonly Layer[] {
  return [
    { title: "libraries from Debian", entries: base },
    { title: "Node", entries: below(home, [{ path: "bin/node", mode: 0o755, contents: node }]) },
    { title: "native packages", entries: below(`${home}/lib`, native) },
    {
      title: "Assay",
      entries: [
        ...below(`${home}/lib`, bundles),
        ...below(home, licences),
        { path: `${home}/sbom.cdx.json`, mode: 0o644, contents: sbom },
        { path: "usr/bin/assay", mode: 0o755, contents: kernelLauncher(`/${home}`) },
      ],
    },
  ];
}
