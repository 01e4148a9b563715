import { SpiffeError } from "../error.ts";

const BEGIN = /^-----BEGIN ([A-Z0-9 ]+)-----$/;
const LINE_CHARACTERS = 64;
const MAX_TEXT_CHARACTERS = 4 * 1024 * 1024;

/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

/**
 * Reads the blocks of a PEM text (RFC 7468), strictly: standard base64 with padding, no headers, nothing but blank lines
 * and `#` comments outside of the blocks. So a mangled marker is an error and not a certificate less.
 *
 * @throws {SpiffeError} "pem_malformed", with the number of the line; never with what stands in it
 */
export function parsePem(text: string): readonly PemBlock[] {
  if (text.length > MAX_TEXT_CHARACTERS) throw malformed("the text is larger than 4 MiB");
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let base64: string[] = [];
  for (const [index, rawLine] of text.split("\n").entries()) {
    const line = rawLine.trimEnd();
    if (label === undefined) {
      label = BEGIN.exec(line)?.[1];
      if (label === undefined && line !== "" && !line.startsWith("#")) {
        throw malformed(`line ${index + 1} belongs to no block`);
      }
    } else if (line === `-----END ${label}-----`) {
      blocks.push({ label, der: decodeBody(base64.join(""), index + 1) });
      label = undefined;
      base64 = [];
    } else if (/^[A-Za-z0-9+/]+={0,2}$/.test(line)) {
      base64.push(line);
    } else {
      throw malformed(`line ${index + 1} is not base64`);
    }
  }
  if (label !== undefined) throw malformed("the last block has no end");
  return blocks;
}

/**
 * Reads a PEM text all of whose blocks must have one label.
 *
 * @returns the DER of each block, in order; none for a text without blocks
 * @throws {SpiffeError} "pem_malformed"
 */
export function parsePemOf(label: string, text: string): readonly Uint8Array[] {
  return parsePem(text).map((block) => {
    if (block.label !== label) throw malformed(`expected ${label}, found ${block.label}`);
    return block.der;
  });
}

/** Writes one PEM block, with a newline at its end. */
export function formatPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString("base64");
  let body = "";
  for (let start = 0; start < base64.length; start += LINE_CHARACTERS) {
    body += `${base64.slice(start, start + LINE_CHARACTERS)}\n`;
  }
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

function decodeBody(base64: string, line: number): Uint8Array {
  const bytes = Buffer.from(base64, "base64");
  // Node skips over what it does not understand; encoding again shows whether it did.
  if (base64 === "" || bytes.toString("base64") !== base64) {
    throw malformed(`the block that ends at line ${line} is not base64`);
  }
  return bytes;
}

function malformed(message: string): SpiffeError {
  return new SpiffeError("pem_malformed", `not PEM: ${message}`);
}
