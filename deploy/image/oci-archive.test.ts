import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { packTar } from "../release/tar.ts";
import { type ImageOptions, packImage } from "./oci-archive.ts";

const options: ImageOptions = {
  name: "registry.test/assay:1.2.3",
  version: "1.2.3",
  architecture: "amd64",
  createdAt: new Date("2026-01-02T03:04:05Z"),
  layers: [
    { title: "below", entries: [{ path: "etc/a", mode: 0o644, contents: "a" }] },
    { title: "above", entries: [{ path: "etc/b", target: "a" }] },
  ],
  config: { User: "65532:65532" },
  sbom: '{"bomFormat":"CycloneDX"}',
};

/** The files of an archive whose paths are short. */
function filesOf(archive: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; archive[at] !== 0; ) {
    const path = archive
      .subarray(at, at + 100)
      .toString()
      .replace(/\0.*$/s, "");
    const size = Number.parseInt(archive.subarray(at + 124, at + 135).toString(), 8);
    files.set(path, archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function packed() {
  const image = await packImage(options);
  const files = filesOf(image.tar);
  const json = (path: string) => JSON.parse(files.get(path)?.toString() ?? "null");
  const blob = ({ digest }: { digest: string }) => `blobs/sha256/${digest.slice(7)}`;
  return { image, files, json, blob };
}

describe("packImage", () => {
  it("names every blob by what is in it", async () => {
    const { files } = await packed();
    const blobs = [...files].filter(
      ([path]) => path.startsWith("blobs/sha256/") && !path.endsWith("/"),
    );
    assert.equal(blobs.length, 7);
    for (const [path, bytes] of blobs)
      assert.equal(`blobs/sha256/${digestOf(bytes).slice(7)}`, path);
  });

  it("leads from the index to the layers and their contents", async () => {
    const { image, files, json, blob } = await packed();
    const [descriptor] = json("index.json").manifests;
    assert.equal(descriptor.digest, image.digest);
    assert.equal(descriptor.annotations["io.containerd.image.name"], options.name);
    const manifest = json(blob(descriptor));
    const config = json(blob(manifest.config));
    assert.deepEqual(config.config, options.config);
    assert.equal(config.created, "2026-01-02T03:04:05.000Z");
    for (const [index, { entries }] of options.layers.entries()) {
      const layer = gunzipSync(files.get(blob(manifest.layers[index])) ?? Buffer.alloc(0));
      assert.deepEqual(layer, packTar(entries, { modifiedAt: options.createdAt }));
      assert.equal(config.rootfs.diff_ids[index], digestOf(layer));
    }
    assert.deepEqual(json("manifest.json"), [
      {
        Config: blob(manifest.config),
        RepoTags: [options.name],
        Layers: manifest.layers.map(blob),
      },
    ]);
  });

  it("has the bill of materials refer to the image", async () => {
    const { image, files, json, blob } = await packed();
    const artifact = json(blob(json("index.json").manifests[1]));
    assert.equal(artifact.subject.digest, image.digest);
    assert.equal(artifact.artifactType, "application/vnd.cyclonedx+json");
    assert.equal(files.get(blob(artifact.layers[0]))?.toString(), options.sbom);
  });

  it("gives the same bytes twice", async () => {
    assert.deepEqual((await packImage(options)).tar, (await packImage(options)).tar);
  });
});
