import type { TreeEntry } from "../release/file-tree.ts";
import { type BasePackage, baseFiles } from "./base-packages.ts";
import { unpackPackage } from "./debian.ts";

/** User and group of a container that names none. */
export const imageUser = 65532;

const accounts = `root:x:0:0:root:/root:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
assay:x:${imageUser}:${imageUser}:assay:/var/lib/assay:/usr/sbin/nologin
`;
const groups = `root:x:0:
nogroup:x:65534:
assay:x:${imageUser}:
`;

/** Everything that is neither Node nor ours: the C and C++ libraries from Debian, accounts, and empty folders. No shell. */
export async function baseLayer(
  packages: readonly BasePackage[],
  cache: string,
): Promise<readonly TreeEntry[]> {
  const unpacked = await Promise.all(
    packages.map(async (one) => {
      const { entries, control } = await unpackPackage(one, baseFiles[one.name] ?? [], cache);
      // Where scanners for vulnerabilities look in images that have no dpkg.
      const record = file(`var/lib/dpkg/status.d/${one.name}`, control);
      return [...entries.map(merged), record];
    }),
  );
  return [
    ...unpacked.flat(),
    { path: "lib", target: "usr/lib" },
    { path: "lib64", target: "usr/lib64" },
    { path: "bin", target: "usr/bin" },
    file("etc/passwd", accounts),
    file("etc/group", groups),
    file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    { path: "root", mode: 0o700 },
    { path: "tmp", mode: 0o1777 },
    { path: "etc/assay", mode: 0o755 },
    { path: "run/assay", mode: 0o755, owner: imageUser },
    { path: "var/lib/assay", mode: 0o700, owner: imageUser },
  ];
}

/** Debian's packages still name folders that are links below / by now. */
function merged(entry: TreeEntry): TreeEntry {
  return { ...entry, path: entry.path.replace(/^(lib|lib64)\//, "usr/$1/") };
}

function file(path: string, contents: string): TreeEntry {
  return { path, mode: 0o644, contents };
}
