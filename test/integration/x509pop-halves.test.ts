import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { X509PopAttestor } from "../../agent/node-attestation/x509pop.ts";
import { systemRandom } from "../../runtime/random.ts";
import {
  formatChallenge,
  parseAttestationData,
  parseChallengeResponse,
} from "../../server/node-attestation/x509pop/messages.ts";
import { checkProof, proofKindOf } from "../../server/node-attestation/x509pop/proof.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { parsePublicKeyAlgorithm } from "../../spiffe/x509/public-key.ts";
import { TempDir } from "../support/temp-dir.ts";
import { TestAuthority, type TestKeyType, testKey } from "../support/test-ca.ts";

/** A node's files, and the agent's half that reads them. */
async function nodeWith(dir: TempDir, type: TestKeyType) {
  const root = TestAuthority.root();
  const intermediate = root.intermediate();
  const key = testKey(type);
  const { der } = intermediate.leaf({ key });
  const pem = [der, intermediate.der].map((each) => formatPem("CERTIFICATE", each)).join("");
  await writeFile(dir.join("node.pem"), pem);
  await writeFile(dir.join("node.key"), key.privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
  });
  const files = { certificate: dir.join("node.pem"), privateKey: dir.join("node.key") };
  return { attestor: new X509PopAttestor(files, systemRandom), der, intermediate };
}

describe("x509pop, both halves", () => {
  for (const type of ["P-256", "P-384", "rsa-2048"] as const) {
    it(`convinces the server with a key of type ${type}`, async () => {
      await using dir = await TempDir.open();
      const { attestor, der, intermediate } = await nodeWith(dir, type);
      const chain = parseAttestationData(await attestor.payload());
      assert.deepEqual(
        chain.map((each) => Buffer.from(each)),
        [der, intermediate.der].map((each) => Buffer.from(each)),
      );
      const leaf = Certificate.parse(der);
      const nonce = systemRandom.bytes(32);
      const kind = proofKindOf(parsePublicKeyAlgorithm(leaf.spkiDer));
      const answer = await attestor.answer(formatChallenge(kind, nonce));
      checkProof(leaf.publicKey, nonce, parseChallengeResponse(answer));
      assert.throws(() =>
        checkProof(leaf.publicKey, systemRandom.bytes(32), parseChallengeResponse(answer)),
      );
    });
  }

  it("refuses a challenge for another kind of key", async () => {
    await using dir = await TempDir.open();
    const { attestor } = await nodeWith(dir, "P-256");
    const challenge = formatChallenge("rsa", systemRandom.bytes(32));
    await assert.rejects(attestor.answer(challenge), {
      message: "x509pop: the challenge has no ecdsa_signature nonce of 32 bytes",
    });
  });

  it("refuses files that do not belong together, without showing the key", async () => {
    await using dir = await TempDir.open();
    const { attestor } = await nodeWith(dir, "P-256");
    const other = testKey().privateKey.export({ type: "pkcs8", format: "pem" });
    await writeFile(dir.join("node.key"), other);
    await assert.rejects(attestor.payload(), {
      message: `x509pop: ${dir.join("node.key")} is not the key of ${dir.join("node.pem")}`,
    });
    await writeFile(dir.join("node.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    await assert.rejects(attestor.payload(), {
      message: `x509pop: ${dir.join("node.key")} cannot be read as a private key`,
    });
  });
});
