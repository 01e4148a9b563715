import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { TreeEntry, TreeFile } from "../release/file-tree.ts";
import { packTar } from "../release/tar.ts";

const compress = promisify(gzip);

/** One layer of an image. */
export interface Layer {
  /** What it holds, for the image's history. */
  readonly title: string;
  readonly entries: readonly TreeEntry[];
}

/** What an image is. */
export interface ImageOptions {
  /** With registry and tag: "docker.io/library/assay:0.1.0". */
  readonly name: string;
  readonly version: string;
  /** The image format's word for the processor. */
  readonly architecture: "amd64" | "arm64";
  readonly createdAt: Date;
  /** From what changes least to what changes most: who updates gets only those that changed. */
  readonly layers: readonly Layer[];
  /** `Entrypoint`, `User`, `Labels` and so on, with the format's names. */
  readonly config: Readonly<Record<string, unknown>>;
  /** CycloneDX document. */
  readonly sbom: string;
}

/** A finished image. */
export interface ImageArchive {
  readonly tar: Buffer;
  /** Digest of the manifest: what the image is called by its contents. */
  readonly digest: string;
  readonly layers: readonly {
    readonly title: string;
    readonly size: number;
    readonly packed: number;
  }[];
}

const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
  sbom: "application/vnd.cyclonedx+json",
};

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/**
 * Packs an image as an archive of the OCI image layout (https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md), with
 * the bill of materials as an artifact that refers to it, and with the manifest.json by which older tools load images. The same
 * options give the same bytes.
 */
export async function packImage(options: ImageOptions): Promise<ImageArchive> {
  const { name, architecture, createdAt, version } = options;
  const created = createdAt.toISOString();
  const blobs = new Map<string, TreeFile>();
  const add = (mediaType: string, contents: Uint8Array | string): Descriptor => {
    const bytes = Buffer.from(contents);
    const digest = digestOf(bytes);
    const path = `blobs/sha256/${digest.slice("sha256:".length)}`;
    blobs.set(digest, { path, mode: 0o644, contents: bytes });
    return { mediaType, digest, size: bytes.length };
  };
  const addJson = (mediaType: string, value: unknown): Descriptor =>
    add(mediaType, JSON.stringify(value));

  const layers = await Promise.all(
    options.layers.map(async ({ title, entries }) => {
      const tar = packTar(entries, { modifiedAt: createdAt });
      const packed = add(mediaTypes.layer, await compress(tar, { level: 6 }));
      return { title, packed, diffId: digestOf(tar), size: tar.length };
    }),
  );
  const config = addJson(mediaTypes.config, {
    created,
    architecture,
    os: "linux",
    config: options.config,
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ title }) => ({ created, created_by: title })),
  });
  const image = addJson(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: layers.map(({ packed }) => packed),
  });
  const sbom = addJson(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: mediaTypes.sbom,
    config: addJson(mediaTypes.empty, {}),
    layers: [add(mediaTypes.sbom, options.sbom)],
    subject: image,
  });
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      {
        ...image,
        platform: { architecture, os: "linux" },
        annotations: {
          "io.containerd.image.name": name,
          "org.opencontainers.image.ref.name": version,
        },
      },
      // No platform that anything runs on, so that nobody takes it for an image.
      {
        ...sbom,
        artifactType: mediaTypes.sbom,
        platform: { architecture: "unknown", os: "unknown" },
      },
    ],
  };
  const pathOf = ({ digest }: Descriptor): string => blobs.get(digest)?.path ?? "";
  const legacy = [
    {
      Config: pathOf(config),
      RepoTags: [name],
      Layers: layers.map(({ packed }) => pathOf(packed)),
    },
  ];
  const entries = [
    json("oci-layout", { imageLayoutVersion: "1.0.0" }),
    json("index.json", index),
    json("manifest.json", legacy),
    ...blobs.values(),
  ];
  return {
    tar: packTar(entries, { modifiedAt: createdAt }),
    digest: image.digest,
    layers: layers.map(({ title, size, packed }) => ({ title, size, packed: packed.size })),
  };
}

function json(path: string, value: unknown): TreeFile {
  return { path, mode: 0o644, contents: JSON.stringify(value) };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
