import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runToEnd } from "../../support/interop.ts";
import { TempDir } from "../../support/temp-dir.ts";

/** What an image is made from. */
export interface ImageOptions {
  /** As pods name it, with a tag. */
  readonly name: string;
  /** The folder that becomes its file system; everything in it belongs to root. */
  readonly root: string;
  readonly command: readonly string[];
}

/** The image of the pods' sandboxes, which is also a shell with the usual tools. */
export const busyboxImage = "localhost/busybox:1";

/** Writes an image of one layer as an OCI archive. */
export async function writeImage(options: ImageOptions, archive: string): Promise<void> {
  await using dir = await TempDir.open();
  const blobs = dir.join("blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer): Promise<{ digest: string; size: number }> => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const putJson = (value: object): ReturnType<typeof put> =>
    put(Buffer.from(JSON.stringify(value)));

  const layerPath = dir.join("layer.tar");
  const plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  await runToEnd({ file: "tar", args: [...plain, "-C", options.root, "-cf", layerPath, "."] });
  const layerBytes = await readFile(layerPath);
  const layer = {
    digest: `sha256:${createHash("sha256").update(layerBytes).digest("hex")}`,
    size: layerBytes.length,
  };
  await rename(layerPath, join(blobs, layer.digest.slice("sha256:".length)));
  const platform = { architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" };
  const config = await putJson({
    ...platform,
    config: { Env: ["PATH=/bin:/usr/bin"], Cmd: options.command, WorkingDir: "/" },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const oci = "application/vnd.oci.image";
  const manifest = await putJson({
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: { mediaType: `${oci}.config.v1+json`, ...config },
    layers: [{ mediaType: `${oci}.layer.v1.tar`, ...layer }],
  });
  const annotations = { "io.containerd.image.name": options.name };
  const index = {
    schemaVersion: 2,
    manifests: [{ mediaType: `${oci}.manifest.v1+json`, ...manifest, annotations, platform }],
  };
  await writeFile(dir.join("index.json"), JSON.stringify(index));
  await writeFile(dir.join("oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const unfinished = `${archive}.unfinished`;
  const parts = ["oci-layout", "index.json", "blobs"];
  await runToEnd({ file: "tar", args: ["-C", dir.path, "-cf", unfinished, ...parts] });
  await rename(unfinished, archive);
}

/** Writes the archive of `busyboxImage` from this machine's static busybox. */
export async function writeBusyboxImage(archive: string): Promise<void> {
  await using dir = await TempDir.open(0o755);
  await layBusybox(dir.path);
  const command = ["/bin/sleep", "2147483647"];
  await writeImage({ name: busyboxImage, root: dir.path, command }, archive);
}

/** Makes a folder the file system of an image that has a shell, the usual tools and root's name. */
export async function layBusybox(root: string): Promise<void> {
  for (const name of ["bin", "tmp", "etc", "proc", "sys", "dev", "run", "var"]) {
    await mkdir(join(root, name), { recursive: true });
  }
  await copyFile("/bin/busybox", join(root, "bin", "busybox"));
  await runToEnd({
    file: "/bin/sh",
    args: [
      "-ec",
      'for tool in $(/bin/busybox --list); do [ "$tool" = busybox ] || ln -sf busybox "$1/$tool"; done',
      "sh",
      join(root, "bin"),
    ],
  });
  await writeFile(join(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
}
