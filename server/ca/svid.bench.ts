import { generateKeyPairSync } from "node:crypto";
import { createCsr, parseCsr } from "../../spiffe/x509/csr.ts";
import type { MicroBench } from "../../test/bench/micro.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { CaWorld } from "../../test/support/ca-world.ts";
import { checkSvidTbs } from "./certificate-check.ts";
import type { SvidFields } from "./certificate-profile.ts";
import { findCsrKey } from "./csr-key.ts";
import { drawSerialNumbers } from "./serial-number.ts";
import { signTbs } from "./sign-tbs.ts";
import { jwtSvidPayload, TokenSigner } from "./token-profile.ts";

const world = await CaWorld.open();
const { x509, jwt } = world.authorities.active.value;
if (x509 === undefined || jwt === undefined) throw new TypeError("no authority");
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const csrDer = createCsr({ privateKey, subject: { country: "US" } });
const [serial = new Uint8Array()] = drawSerialNumbers(new FakeRandom(1), 1);
const fields: SvidFields = {
  serial,
  notBefore: new Date("2026-03-01T12:00:00Z"),
  notAfter: new Date("2026-03-01T13:00:00Z"),
  spkiDer: publicKey.export({ format: "der", type: "spki" }),
  isRsa: false,
  spiffeId: "spiffe://example.test/ns/default/sa/web",
  dnsNames: [],
};
const { template, issuer } = x509;
const tbsDer = template.fill(fields);
const signer = new TokenSigner(jwt, "JWT");
const payload = jwtSvidPayload({
  spiffeId: fields.spiffeId,
  audiences: ["spiffe://example.test/db"],
  issuedAtSeconds: 1_772_366_400,
  expiresAtSeconds: 1_772_366_700,
  jti: "AAAAAAAAAAAAAAAAAAAAAA",
});

export const benches: readonly MicroBench[] = [
  { name: "find the key of a CSR", call: () => findCsrKey(csrDer) },
  { name: "parse a CSR", call: () => parseCsr(csrDer) },
  { name: "parse a CSR and check its signature", call: () => parseCsr(csrDer).verifySignature() },
  { name: "fill the template", call: () => template.fill(fields) },
  { name: "check the certificate", call: () => checkSvidTbs(tbsDer, issuer, fields) },
  { name: "sign and assemble a certificate", call: () => signTbs(x509, tbsDer) },
  { name: "assemble and sign a JWT-SVID", call: () => signer.sign(payload) },
];
