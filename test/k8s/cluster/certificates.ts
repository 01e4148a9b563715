import "reflect-metadata";
import { generateKeyPairSync } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const dayMs = 24 * 3600 * 1000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A key pair as Kubernetes reads it. */
export interface PemKeys {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** A certificate with its key, both as PEM. */
export interface PemCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Who a certificate is for: Kubernetes takes the common name for the user and the organisation for the group. */
export interface Subject {
  readonly user: string;
  readonly group?: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

/** The certificate authority of one cluster, good for a month. */
export class ClusterAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  readonly #keys: CryptoKeyPair;
  readonly #validity: { readonly notBefore: Date; readonly notAfter: Date };

  private constructor(
    keys: CryptoKeyPair,
    parts: PemCertificate,
    validity: { readonly notBefore: Date; readonly notAfter: Date },
  ) {
    this.#keys = keys;
    this.certificate = parts.certificate;
    this.privateKey = parts.privateKey;
    this.#validity = validity;
  }

  static async make(now: Date): Promise<ClusterAuthority> {
    const keys = await makeKeys();
    const validity = {
      notBefore: new Date(now.getTime() - 3_600_000),
      notAfter: new Date(now.getTime() + 30 * dayMs),
    };
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: "CN=kubernetes",
      keys,
      signingAlgorithm: algorithm,
      ...validity,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    const parts = { certificate: certificate.toString("pem"), privateKey: await privatePem(keys) };
    return new ClusterAuthority(keys, parts, validity);
  }

  /** For a server and a client alike. */
  async issue(subject: Subject): Promise<PemCertificate> {
    const keys = await makeKeys();
    const { user, group, dns = [], ips = [] } = subject;
    const names: JsonGeneralName[] = [
      ...dns.map((value) => ({ type: "dns" as const, value })),
      ...ips.map((value) => ({ type: "ip" as const, value })),
    ];
    const usages = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];
    const certificate = await X509CertificateGenerator.create({
      subject: [...(group === undefined ? [] : [{ O: [group] }]), { CN: [user] }],
      issuer: "CN=kubernetes",
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      ...this.#validity,
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(usages),
        ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
      ],
    });
    return { certificate: certificate.toString("pem"), privateKey: await privatePem(keys) };
  }
}

/** The keys that sign service account tokens. */
export function makeTokenKeys(): PemKeys {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

async function makeKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function privatePem(keys: CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const lines = der.toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}
