import { createHash } from "node:crypto";
import type { ContainedPackage } from "../release/packages.ts";
import type { BasePackage } from "./base-packages.ts";

/** What a bill of materials is made from. */
export interface SbomOptions {
  readonly version: string;
  readonly createdAt: Date;
  /** Packages of npm, the one that brings Node among them. */
  readonly packages: readonly ContainedPackage[];
  /** `packages` of package-lock.json. */
  readonly lock: Readonly<
    Record<string, { readonly version?: string; readonly integrity?: string }>
  >;
  readonly basePackages: readonly BasePackage[];
}

type Json = Readonly<Record<string, unknown>>;

/** Lists what an image contains, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). Nothing in it depends on when it is made. */
export function formatSbom(options: SbomOptions): string {
  const components = [
    ...options.packages.map((one) => npmComponent(one, options.lock)),
    ...options.basePackages.map(debianComponent),
  ];
  const root = {
    type: "application",
    "bom-ref": `pkg:generic/assay@${options.version}`,
    name: "assay",
    version: options.version,
    licenses: [{ license: { id: "Apache-2.0" } }],
    purl: `pkg:generic/assay@${options.version}`,
  };
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([root, components]))}`,
    version: 1,
    metadata: { timestamp: options.createdAt.toISOString(), component: root },
    components,
    dependencies: [{ ref: root["bom-ref"], dependsOn: components.map((one) => one["bom-ref"]) }],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function npmComponent(
  { name, version, license }: ContainedPackage,
  lock: SbomOptions["lock"],
): Json {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const locked = Object.entries(lock).find(
    ([path, found]) => path.endsWith(`node_modules/${name}`) && found.version === version,
  )?.[1];
  const [algorithm, digest] = locked?.integrity?.split("-") ?? [];
  const hashes =
    algorithm === "sha512" && digest !== undefined
      ? { hashes: [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }] }
      : {};
  const isNode = /^node-(linux|bin)-/.test(name);
  return {
    type: isNode ? "platform" : "library",
    "bom-ref": purl,
    name,
    version,
    // Advisories for Node do not go by the name of the package that brings it.
    ...(isNode ? { cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*` } : {}),
    ...hashes,
    licenses: [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }],
    purl,
  };
}

function debianComponent({ name, version, architecture, sha256 }: BasePackage): Json {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`;
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    hashes: [{ alg: "SHA-256", content: sha256 }],
    licenses: [{ license: { name: `/usr/share/doc/${name}/copyright` } }],
    purl,
  };
}

/** A UUID of version 8 (RFC 9562, 5.8), by content. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
