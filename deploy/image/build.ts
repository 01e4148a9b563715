// `npm run image`: makes the container image without a daemon, as an archive of the OCI image layout, with its bill of materials.
//   --name NAME       what it is called, with registry and tag
//   --out FOLDER      instead of dist
//   --update-base     pins the Debian packages that apt has now, and makes no image
//   --newer-base      takes what apt has now in place of pinned packages that it has no more; the bill of materials says which

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeError } from "../../runtime/errors/describe.ts";
import { VERSION } from "../../runtime/version.ts";
import { makeRelease } from "../release/release.ts";
import { sourceDate } from "../release/source-date.ts";
import { baseLayer, imageUser } from "./base-layer.ts";
import { baseFiles, readBasePackages, writeBasePackages } from "./base-packages.ts";
import { availablePackage, newestPackage } from "./debian.ts";
import { imageLayers } from "./layers.ts";
import { packImage } from "./oci-archive.ts";
import { formatSbom } from "./sbom.ts";

const root = join(import.meta.dirname, "..", "..");
const cache = join(root, "node_modules", ".cache", "debian");

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: `docker.io/library/assay:${VERSION}` },
      out: { type: "string", default: join(root, "dist") },
      "update-base": { type: "boolean", default: false },
      "newer-base": { type: "boolean", default: false },
    },
  });
  await mkdir(cache, { recursive: true });
  if (values["update-base"]) {
    const names = Object.keys(baseFiles).sort();
    await writeBasePackages(await Promise.all(names.map((name) => newestPackage(name, cache))));
    return;
  }
  const out = resolve(values.out);
  await mkdir(out, { recursive: true });
  const modules = join(root, "node_modules");
  const release = await makeRelease({ platform: "linux", arch: "x64" }, modules);
  const pinned = await readBasePackages();
  const basePackages = values["newer-base"]
    ? await Promise.all(pinned.map((each) => availablePackage(each, cache)))
    : pinned;
  const createdAt = await sourceDate(root, process.env);
  const { packages: lock } = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
  const { packages } = release;
  const sbom = formatSbom({ version: VERSION, createdAt, packages, lock, basePackages });
  const image = await packImage({
    name: values.name,
    version: VERSION,
    architecture: "amd64",
    createdAt,
    layers: imageLayers(await baseLayer(basePackages, cache), release, sbom),
    config: {
      User: `${imageUser}:${imageUser}`,
      Entrypoint: ["/usr/bin/assay"],
      Env: ["PATH=/usr/bin"],
      WorkingDir: "/",
      Labels: {
        "org.opencontainers.image.title": "Assay",
        "org.opencontainers.image.description":
          "SPIFFE workload identity: server, agent and command",
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    },
    sbom,
  });
  const path = join(out, `assay-${VERSION}-linux-amd64.oci.tar`);
  await writeFile(path, image.tar);
  await writeFile(join(out, `assay-${VERSION}-linux-amd64.cdx.json`), sbom);
  for (const { title, size, packed } of image.layers) {
    print(
      `${megabytes(packed).padStart(6)} MB packed, ${megabytes(size).padStart(6)} MB: ${title}`,
    );
  }
  print(`${values.name} ${image.digest}`);
  print(path);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`image: ${describeError(error)}\n`);
  process.exitCode = 1;
}
