import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { VERSION } from "../../../runtime/version.ts";
import { runToEnd } from "../../support/interop.ts";
import { root } from "../../support/sources.ts";
import { TempDir } from "../../support/temp-dir.ts";
import { layBusybox, writeImage } from "../cluster/image.ts";
import { givenKubeconfig } from "../cluster/needs.ts";

/** For pods of both images. Nodes of somebody else's cluster may have a registry to take them from. */
export const pullPolicy: "IfNotPresent" | "Never" =
  givenKubeconfig === undefined ? "Never" : "IfNotPresent";

/** The product, built from this checkout; for the chart's values `image`. */
export const assayImage: { readonly repository: string; readonly tag: string } = parseName(
  process.env["ASSAY_TEST_IMAGE"] ?? "localhost/assay:test",
);

/** A shell, and the workloads of test/interop/go. */
export const workloadImage: string =
  process.env["ASSAY_TEST_WORKLOAD_IMAGE"] ?? "localhost/workload:1";

/** Builds both images. @returns the paths of their archives in `folder` */
export async function buildImages(folder: string): Promise<readonly string[]> {
  const workload = join(folder, "workload.tar");
  await Promise.all([buildAssay(folder), buildWorkload(workload)]);
  return [join(folder, `assay-${VERSION}-linux-amd64.oci.tar`), workload];
}

async function buildAssay(folder: string): Promise<void> {
  const name = `${assayImage.repository}:${assayImage.tag}`;
  await runToEnd({
    file: process.execPath,
    args: [
      join(root, "deploy", "image", "build.ts"),
      ...["--newer-base", "--name", name, "--out", folder],
    ],
  });
}

async function buildWorkload(archive: string): Promise<void> {
  await using dir = await TempDir.open(0o755);
  await layBusybox(dir.path);
  await mkdir(dir.join("usr", "bin"), { recursive: true });
  for (const command of ["watch", "workload"]) {
    await runToEnd({
      file: "go",
      args: [
        "build",
        "-mod=readonly",
        "-ldflags",
        "-s -w",
        "-o",
        dir.join("usr", "bin", command),
        `./cmd/${command}`,
      ],
      cwd: join(root, "test", "interop", "go"),
      // Nothing but the program is needed to run it.
      env: { CGO_ENABLED: "0" },
    });
  }
  await writeImage({ name: workloadImage, root: dir.path, command: ["/usr/bin/watch"] }, archive);
}

function parseName(name: string): { readonly repository: string; readonly tag: string } {
  const [, repository = name, tag = "latest"] = /^(.+):([^:/]+)$/.exec(name) ?? [];
  return { repository, tag };
}

if (import.meta.main) {
  // For a cluster of somebody else: the folder gets what its nodes have to know.
  const [, , folder = "dist"] = process.argv;
  await mkdir(folder, { recursive: true });
  for (const path of await buildImages(folder)) process.stdout.write(`${path}\n`);
}
