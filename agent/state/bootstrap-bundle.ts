import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { parseBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { selectX509Authorities } from "../../spiffe/bundle/x509-authorities.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { parseCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import type { TrustBundleSettings } from "../config/node-settings.ts";

const MAX_BUNDLE_BYTES = 1024 * 1024;
const FETCH_TIMEOUT_MS = 10_000;

/**
 * Gets the bundle that the first server is verified with, or undefined when the configuration says to trust the first server
 * unseen.
 *
 * @throws {Error} | {SpiffeError} when it cannot be had or holds no X.509 authority
 */
export async function bootstrapBundle(
  settings: TrustBundleSettings,
  trustDomain: TrustDomain,
  signal: AbortSignal,
): Promise<Bundle | undefined> {
  if ("insecure" in settings) return undefined;
  if ("inline" in settings) return parseBundle(settings.inline, trustDomain);
  if ("path" in settings) return parseBundle(await readBundleFile(settings.path), trustDomain);
  const text = await fetchText(settings.url, settings.sha256 !== undefined, signal);
  if (settings.sha256 !== undefined) checkPin(text, settings.sha256);
  return parseBundle(text, trustDomain);
}

/** Reads CA certificates (PEM) or a SPIFFE bundle (JSON). */
function parseBundle(text: string, trustDomain: TrustDomain): Bundle {
  const bundle = text.trimStart().startsWith("{")
    ? parseBundleDocument(trustDomain, text).bundle
    : new Bundle(trustDomain, {
        x509Authorities: selectX509Authorities(parseCertificatesPem(text)).authorities,
      });
  if (bundle.x509Authorities.length === 0) {
    throw new Error("trust bundle: it holds no CA certificate");
  }
  return bundle;
}

async function readBundleFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new Error(`trust bundle: ${path} cannot be read`, { cause });
  }
}

function checkPin(text: string, sha256: string): void {
  if (createHash("sha256").update(text).digest("hex") !== sha256) {
    throw new Error("trust bundle: what the address serves is not what trustBundle.sha256 names");
  }
}

async function fetchText(url: string, isPinned: boolean, signal: AbortSignal): Promise<string> {
  // Loaded here, since most agents never fetch anything by HTTP.
  const { get } = url.startsWith("https:") ? await import("node:https") : await import("node:http");
  return new Promise((resolve, reject) => {
    // What is pinned by its digest may come from anyone.
    const options = { timeout: FETCH_TIMEOUT_MS, signal, rejectUnauthorized: !isPinned };
    const request = get(url, options, (response) => {
      if (response.statusCode !== 200) {
        request.destroy(new Error(`trust bundle: ${url} answered ${response.statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BUNDLE_BYTES)
          request.destroy(new Error(`trust bundle: ${url} is too large`));
        else chunks.push(chunk);
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error(`trust bundle: ${url} timed out`)));
    request.on("error", reject);
  });
}
