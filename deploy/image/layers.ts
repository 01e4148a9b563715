import { below, type TreeEntry, type TreeFile } from "../release/file-tree.ts";
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
        ...below(`${home}/lib`, bundles.map(executable)),
        ...below(home, licences),
        { path: `${home}/sbom.cdx.json`, mode: 0o644, contents: sbom },
        { path: "usr/bin/assay", target: `/${home}/lib/assay.mjs` },
      ],
    },
  ];
}

/** There is no shell to start Node, so the kernel does. */
function executable(file: TreeFile): TreeFile {
  if (file.path !== "assay.mjs") return file;
  const contents = Buffer.concat([
    Buffer.from(`#!/${home}/bin/node\n`),
    Buffer.from(file.contents),
  ]);
  return { ...file, mode: 0o755, contents };
}
