import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { describeError } from "../errors/describe.ts";
import { Feed, type ReadFeed } from "../feed.ts";
import type { Logger } from "../log.ts";
import type { Clock } from "../time/clock.ts";

/** Where a certificate and its key are kept. */
export interface CertificatePaths {
  /** Certificate and intermediates in PEM. */
  readonly certFile: string;
  /** Private key in PEM. */
  readonly keyFile: string;
}

/** Looked at this often also without a word from the file system, since some file systems say none. */
const LOOK_MS = 60_000;
/** Two files are replaced one after the other: what comes within this time is read once. */
const SETTLE_MS = 200;

/** A certificate and key in two files, read again when they change. What makes no pair is not taken: the one in use stays. */
export class CertificateFiles {
  readonly #paths: CertificatePaths;
  readonly #feed: Feed<SecureContextOptions>;
  readonly #deps: { readonly clock: Clock; readonly log: Logger };

  /** @throws {Error} when the files cannot be read or make no pair */
  static async open(
    paths: CertificatePaths,
    deps: { readonly clock: Clock; readonly log: Logger },
  ): Promise<CertificateFiles> {
    return new CertificateFiles(paths, deps, await readPair(paths));
  }

  private constructor(
    paths: CertificatePaths,
    deps: { readonly clock: Clock; readonly log: Logger },
    first: SecureContextOptions,
  ) {
    this.#paths = paths;
    this.#deps = deps;
    this.#feed = new Feed(first);
  }

  /** The pair in use. */
  get current(): ReadFeed<SecureContextOptions> {
    return this.#feed;
  }

  /** Follows the files. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const { certFile, keyFile } = this.#paths;
    let look = new AbortController();
    // Folders, because files are mostly replaced by renaming, and in Kubernetes by a link to another folder.
    const watchers = [...new Set([certFile, keyFile].map((path) => dirname(path)))].map((folder) =>
      watch(folder, () => look.abort()).on("error", (err) => {
        log.debug({ err, folder }, "Folder of the certificate cannot be watched");
      }),
    );
    try {
      while (!signal.aborted) {
        await clock.sleep(LOOK_MS, AbortSignal.any([signal, look.signal]));
        await clock.sleep(SETTLE_MS, signal);
        look = new AbortController();
        if (!signal.aborted) await this.#read();
      }
    } finally {
      for (const watcher of watchers) watcher.close();
    }
  }

  async #read(): Promise<void> {
    const { log } = this.#deps;
    try {
      const read = await readPair(this.#paths);
      const { value } = this.#feed;
      if (read.cert === value.cert && read.key === value.key) return;
      this.#feed.set(read);
      log.info({ path: this.#paths.certFile }, "Certificate was read again");
    } catch (err) {
      log.warn(
        { path: this.#paths.certFile, reason: describeError(err) },
        "Certificate could not be read again, the one in use stays",
      );
    }
  }
}

async function readPair({ certFile, keyFile }: CertificatePaths): Promise<SecureContextOptions> {
  const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new Error(`${certFile} and ${keyFile} are no certificate and its key`, { cause });
  }
  return { cert, key };
}
