import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { suite, test } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { layoutOf, makeFolders } from "./layout.ts";
import { ensureNodeCertificate } from "./node-certificate.ts";

const now = new Date("2026-03-01T00:00:00Z");

suite("ensureNodeCertificate", () => {
  test("makes a certificate for the key, signed by the CA, and names its fingerprint", async () => {
    await using dir = await TempDir.open();
    const layout = layoutOf(dir.path);
    await makeFolders(layout);
    const fingerprint = await ensureNodeCertificate(layout, now);
    const certificate = new X509Certificate(await readFile(layout.nodeCertificate));
    const ca = new X509Certificate(await readFile(layout.nodeCa));
    assert.equal(certificate.verify(ca.publicKey), true);
    assert.equal(
      certificate.checkPrivateKey(createPrivateKey(await readFile(layout.nodeKey))),
      true,
    );
    assert.equal(certificate.ca, false);
    assert.equal(ca.ca, true);
    assert.equal(certificate.fingerprint.replaceAll(":", "").toLowerCase(), fingerprint);
    assert.equal((await stat(layout.nodeKey)).mode & 0o777, 0o600);
  });

  test("a second start finds the same certificate", async () => {
    await using dir = await TempDir.open();
    const layout = layoutOf(dir.path);
    await makeFolders(layout);
    const first = await ensureNodeCertificate(layout, now);
    assert.equal(await ensureNodeCertificate(layout, new Date("2026-03-02T00:00:00Z")), first);
  });
});
