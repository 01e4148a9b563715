import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { TestAuthority } from "../../test/support/test-ca.ts";
import type { TrustBundleSettings } from "../config/node-settings.ts";
import { bootstrapBundle } from "./bootstrap-bundle.ts";

const trustDomain = TrustDomain.parse("td.test");
const root = TestAuthority.root();
const pem = formatPem("CERTIFICATE", root.der);
const { signal } = new AbortController();
const load = (settings: TrustBundleSettings) => bootstrapBundle(settings, trustDomain, signal);

/** Serves one text on loopback. */
async function serve(text: string) {
  const server = createServer((_request, response) => response.end(text)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/bundle`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

describe("bootstrapBundle", () => {
  it("reads PEM, and SPIFFE bundles, from a file or the configuration itself", async () => {
    await using dir = await TempDir.open();
    const bundle = new Bundle(trustDomain, { x509Authorities: [root.certificate] });
    const json = formatBundleDocument(bundle);
    await writeFile(dir.join("bundle"), json);
    for (const settings of [{ inline: pem }, { inline: json }, { path: dir.join("bundle") }]) {
      const loaded = await load(settings);
      assert.ok(loaded?.x509Authorities[0]?.equals(root.certificate));
    }
  });

  it("has none when the first server is to be trusted unseen", async () => {
    assert.equal(await load({ insecure: true }), undefined);
  });

  it("fetches what a pin vouches for, and nothing else", async () => {
    await using server = await serve(pem);
    const sha256 = createHash("sha256").update(pem).digest("hex");
    const loaded = await load({ url: server.url, sha256 });
    assert.equal(loaded?.x509Authorities.length, 1);
    await assert.rejects(load({ url: server.url, sha256: "0".repeat(64) }), {
      message: "trust bundle: what the address serves is not what trustBundle.sha256 names",
    });
  });

  it("does not take an endless answer", async () => {
    await using server = await serve("x".repeat(2 * 1024 * 1024));
    await assert.rejects(load({ url: server.url, sha256: "0".repeat(64) }), {
      message: `trust bundle: ${server.url} is too large`,
    });
  });

  it("refuses what holds no CA certificate, and a file that is not there", async () => {
    const leaf = formatPem("CERTIFICATE", root.leaf().der);
    await assert.rejects(load({ inline: leaf }), {
      message: "trust bundle: it holds no CA certificate",
    });
    await assert.rejects(load({ path: "/nowhere/bundle.pem" }), {
      message: "trust bundle: /nowhere/bundle.pem cannot be read",
    });
  });
});
