import assert from "node:assert/strict";
import { generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { parsePublicKeyAlgorithm } from "../../spiffe/x509/public-key.ts";
import { judgeSubjectKey, type KeyObjection, type KnownBadKeys } from "./key-policy.ts";

const rsa = (modulusLength: number, publicExponent = 65_537): KeyObject =>
  generateKeyPairSync("rsa", { modulusLength, publicExponent }).publicKey;
const ec = (namedCurve: string): KeyObject => generateKeyPairSync("ec", { namedCurve }).publicKey;

function judge(key: KeyObject, knownBad?: KnownBadKeys): KeyObjection | undefined {
  const spki = key.export({ format: "der", type: "spki" });
  return judgeSubjectKey(spki, parsePublicKeyAlgorithm(spki), knownBad);
}

const kind = "the key must be ECDSA on P-256, P-384 or P-521, or RSA";
const size = "an RSA key must have 2048 to 4096 bits";
const cases: readonly {
  readonly name: string;
  readonly key: () => KeyObject;
  readonly objection: KeyObjection | undefined;
}[] = [
  { name: "takes P-256", key: () => ec("P-256"), objection: undefined },
  { name: "takes P-384", key: () => ec("P-384"), objection: undefined },
  { name: "takes P-521", key: () => ec("P-521"), objection: undefined },
  { name: "refuses P-224", key: () => ec("secp224r1"), objection: kind },
  { name: "refuses secp256k1", key: () => ec("secp256k1"), objection: kind },
  { name: "refuses Ed25519", key: () => generateKeyPairSync("ed25519").publicKey, objection: kind },
  { name: "refuses X25519", key: () => generateKeyPairSync("x25519").publicKey, objection: kind },
  { name: "takes RSA of 2048 bits", key: () => rsa(2048), objection: undefined },
  { name: "refuses RSA of 1024 bits", key: () => rsa(1024), objection: size },
  { name: "refuses RSA of 2047 bits", key: () => rsa(2047), objection: size },
  { name: "refuses RSA of 5120 bits", key: () => rsa(5120), objection: size },
  {
    name: "refuses the exponent 3",
    key: () => rsa(2048, 3),
    objection: "the exponent of an RSA key must be odd, at least 65537 and at most 4294967295",
  },
];

describe("judgeSubjectKey", () => {
  for (const { name, key, objection } of cases) {
    it(name, () => {
      assert.equal(judge(key()), objection);
    });
  }

  it("refuses a key that is on the list of known ones, and no other", () => {
    const key = ec("P-256");
    const spki = key.export({ format: "der", type: "spki" });
    const knownBad = new Set([hash("sha256", spki, "hex")]);
    assert.equal(judge(key, knownBad), "the key is known to be compromised");
    assert.equal(judge(ec("P-256"), knownBad), undefined);
  });
});
