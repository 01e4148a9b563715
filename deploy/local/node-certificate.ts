import "reflect-metadata";
import { createHash } from "node:crypto";
import { access, readFile, writeFile } from "node:fs/promises";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { formatPem } from "../../spiffe/x509/pem.ts";
import type { Layout } from "./layout.ts";

const tenYearsMs = 10 * 365 * 24 * 3600 * 1000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * Makes the certificate that this machine proves itself with, and a CA just for it, unless an earlier start did. The agent's
 * ID is the certificate's fingerprint, so it stays the same from start to start.
 *
 * @returns the SHA-1 fingerprint of the certificate in hex, as it stands in the agent's ID
 */
export async function ensureNodeCertificate(layout: Layout, now: Date): Promise<string> {
  if (!(await exists(layout.nodeCertificate))) await makeNodeCertificate(layout, now);
  const certificate = new X509Certificate(await readFile(layout.nodeCertificate, "utf8"));
  return createHash("sha1").update(new Uint8Array(certificate.rawData)).digest("hex");
}

async function makeNodeCertificate(layout: Layout, now: Date): Promise<void> {
  const validity = { notBefore: now, notAfter: new Date(now.getTime() + tenYearsMs) };
  const usages: KeyUsage[] = ["sign", "verify"];
  const caKeys = await crypto.subtle.generateKey(algorithm, true, usages);
  const nodeKeys = await crypto.subtle.generateKey(algorithm, true, usages);
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: "CN=Assay local nodes",
    keys: caKeys,
    signingAlgorithm: algorithm,
    ...validity,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const node = await X509CertificateGenerator.create({
    subject: "CN=This machine",
    issuer: ca.subject,
    publicKey: nodeKeys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: algorithm,
    ...validity,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.2"]),
    ],
  });
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", nodeKeys.privateKey));
  await writeFile(layout.nodeKey, formatPem("PRIVATE KEY", key), { mode: 0o600 });
  await writeFile(layout.nodeCa, ca.toString("pem"));
  // Last: its existence says that the others are there. The CA's key is not kept, so it signs nothing else.
  await writeFile(layout.nodeCertificate, node.toString("pem"));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
