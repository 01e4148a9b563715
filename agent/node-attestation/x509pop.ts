import { constants, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Random } from "../../runtime/random.ts";
import type { Certificate } from "../../spiffe/x509/certificate.ts";
import { parseCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import type { NodeAttestor } from "./node-attestor.ts";

const NONCE_BYTES = 32;
/** A challenge is a nonce in a little JSON. */
const MAX_CHALLENGE_BYTES = 4096;

/** Files, PEM. Read at each attempt, so that a renewed certificate is taken. */
export interface X509PopFiles {
  /** The node's certificate; intermediates may follow it. */
  readonly certificate: string;
  readonly privateKey: string;
  readonly intermediates?: string;
}

/**
 * Attestation by possession of a certificate's key: the node was given a certificate from an authority that the server trusts,
 * and signs a nonce of the server together with one of its own.
 */
export class X509PopAttestor implements NodeAttestor {
  readonly type = "x509pop";
  readonly #files: X509PopFiles;
  readonly #random: Random;

  constructor(files: X509PopFiles, random: Random) {
    this.#files = files;
    this.#random = random;
  }

  async payload(): Promise<Uint8Array> {
    const { certificate, intermediates } = this.#files;
    const chain = await readCertificates(certificate);
    if (intermediates !== undefined) chain.push(...(await readCertificates(intermediates)));
    const [leaf] = chain;
    if (leaf === undefined) throw new Error(`x509pop: ${certificate} holds no certificate`);
    const key = await this.#readKey();
    const spki = createPublicKey(key).export({ type: "spki", format: "der" });
    if (Buffer.compare(spki, leaf.spkiDer) !== 0) {
      throw new Error(`x509pop: ${this.#files.privateKey} is not the key of ${certificate}`);
    }
    const certificates = chain.map(({ der }) => Buffer.from(der).toString("base64"));
    return Buffer.from(JSON.stringify({ certificates }));
  }

  async answer(challenge: Uint8Array): Promise<Uint8Array> {
    const key = await this.#readKey();
    const nonce = Buffer.from(this.#random.bytes(NONCE_BYTES));
    if (key.asymmetricKeyType === "rsa") {
      const signed = Buffer.concat([readNonce(challenge, "rsa_signature"), nonce]);
      return encodeAnswer("rsa_signature", { nonce, signature: signRsa(key, signed) });
    }
    if (key.asymmetricKeyType === "ec") {
      const signed = Buffer.concat([readNonce(challenge, "ecdsa_signature"), nonce]);
      return encodeAnswer("ecdsa_signature", { nonce, ...signEcdsa(key, signed) });
    }
    throw new Error("x509pop: the key must be RSA or ECDSA");
  }

  async #readKey(): Promise<KeyObject> {
    const path = this.#files.privateKey;
    try {
      return createPrivateKey(await readFile(path));
    } catch {
      // Without the cause: OpenSSL's errors may quote what they could not read.
      throw new Error(`x509pop: ${path} cannot be read as a private key`);
    }
  }
}

async function readCertificates(path: string): Promise<Certificate[]> {
  try {
    return [...parseCertificatesPem(await readFile(path, "utf8"))];
  } catch (err) {
    throw new Error(`x509pop: ${path} cannot be read as PEM certificates`, { cause: err });
  }
}

function readNonce(challenge: Uint8Array, kind: "rsa_signature" | "ecdsa_signature"): Buffer {
  const nonce = nonceOf(challenge, kind);
  if (nonce === undefined || nonce.length !== NONCE_BYTES) {
    throw new Error(`x509pop: the challenge has no ${kind} nonce of ${NONCE_BYTES} bytes`);
  }
  return nonce;
}

function nonceOf(challenge: Uint8Array, kind: string): Buffer | undefined {
  if (challenge.length > MAX_CHALLENGE_BYTES) return undefined;
  const parsed: unknown = JSON.parse(Buffer.from(challenge).toString("utf8"));
  const part = property(parsed, kind);
  const nonce = property(part, "nonce");
  return typeof nonce === "string" ? Buffer.from(nonce, "base64") : undefined;
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

// RSA-PSS over SHA-256. The reference verifies with any salt length; the digest's is the usual one.
function signRsa(key: KeyObject, data: Uint8Array): Buffer {
  return sign("sha256", data, {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

function signEcdsa(key: KeyObject, data: Uint8Array): { r: Buffer; s: Buffer } {
  const raw = sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
  return { r: raw.subarray(0, raw.length / 2), s: raw.subarray(raw.length / 2) };
}

function encodeAnswer(kind: string, fields: Readonly<Record<string, Buffer>>): Uint8Array {
  const texts = Object.entries(fields).map(([name, bytes]) => [name, bytes.toString("base64")]);
  return Buffer.from(JSON.stringify({ [kind]: Object.fromEntries(texts) }));
}
