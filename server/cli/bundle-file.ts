import { readFile } from "node:fs/promises";
import { encodeBundle } from "../../proto/convert/bundle.ts";
import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { parseBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { parsePemOf } from "../../spiffe/x509/pem.ts";

/** How a bundle is written: PEM certificates, or a SPIFFE bundle document. */
export type BundleFormat = "pem" | "spiffe";

/** Reads a trust domain's bundle from a file, or from standard input for "-". @throws {CliError} */
export async function readBundleFile(
  io: CliIo,
  name: string,
  path: string,
  format: BundleFormat,
): Promise<WireBundle> {
  const text = path === "-" ? await io.readInput() : await readFile(path, "utf8");
  try {
    const trustDomain = TrustDomain.parse(name);
    if (format === "spiffe") {
      return encodeBundle(parseBundleDocument(trustDomain, text, { wit: true }).bundle);
    }
    const x509Authorities = parsePemOf("CERTIFICATE", text).map((der) => Certificate.parse(der));
    return encodeBundle(new Bundle(trustDomain, { x509Authorities }));
  } catch (err) {
    throw usageError(`bundle: ${err instanceof Error ? err.message : String(err)}`);
  }
}
