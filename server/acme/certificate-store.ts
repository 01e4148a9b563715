import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../../runtime/files/is-missing.ts";
import { replaceFile } from "../../runtime/files/replace-file.ts";
import type { KeyAndCertificate } from "../../runtime/http/document-server.ts";
import type { AcmeSettings } from "../config/acme-settings.ts";

/** A certificate that was obtained, and how long it holds. */
export interface ObtainedCertificate extends KeyAndCertificate {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * The account's key and the certificate, in a folder that only this user reads. The files are named for the ACME server too: the
 * certificate of a trial server must not live on where the settings name the real one.
 */
export class CertificateStore {
  readonly #certificateFile: string;
  readonly #domain: string;
  /** Of the account, PKCS#8 in PEM. */
  readonly accountKey: string;

  /** Makes the folder and the account's key unless they are there. @throws {Error} when either cannot be read or written */
  static async open(settings: AcmeSettings): Promise<CertificateStore> {
    await mkdir(settings.directory, { recursive: true, mode: 0o700 });
    const accountFile = join(settings.directory, `account-${serverName(settings)}.pem`);
    const found = await readIfThere(accountFile);
    if (found !== undefined) {
      createPrivateKey(found);
      return new CertificateStore(settings, found);
    }
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const made = String(privateKey.export({ format: "pem", type: "pkcs8" }));
    await replaceFile(accountFile, made, { mode: 0o600 });
    return new CertificateStore(settings, made);
  }

  private constructor(settings: AcmeSettings, accountKey: string) {
    const { directory, domain } = settings;
    this.#certificateFile = join(directory, `${domain}-${serverName(settings)}.pem`);
    this.#domain = domain;
    this.accountKey = accountKey;
  }

  /** What was kept; undefined when there is nothing. @throws {Error} when what is there is no such certificate */
  async read(): Promise<ObtainedCertificate | undefined> {
    const text = await readIfThere(this.#certificateFile);
    if (text === undefined) return undefined;
    const at = text.indexOf("-----BEGIN CERTIFICATE-----");
    if (at < 0) throw new Error(`${this.#certificateFile} holds no certificate`);
    return this.#checked({ key: text.slice(0, at), cert: text.slice(at) });
  }

  /** Keeps what was obtained: key and chain in one file, so that they change together. @throws {Error} unless they fit */
  async write(obtained: KeyAndCertificate): Promise<ObtainedCertificate> {
    const checked = this.#checked(obtained);
    const { key, cert } = obtained;
    await replaceFile(this.#certificateFile, `${key.trimEnd()}\n${cert}`, { mode: 0o600 });
    return checked;
  }

  #checked({ key, cert }: KeyAndCertificate): ObtainedCertificate {
    const leaf = new X509Certificate(cert);
    if (!leaf.checkPrivateKey(createPrivateKey(key))) {
      throw new Error("certificate is not that of its key");
    }
    if (leaf.checkHost(this.#domain) === undefined) {
      throw new Error(`certificate is not for ${this.#domain}`);
    }
    return { key, cert, notBefore: leaf.validFromDate, notAfter: leaf.validToDate };
  }
}

function serverName({ directoryUrl }: AcmeSettings): string {
  return createHash("sha256").update(directoryUrl).digest("hex").slice(0, 12);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (err) {
    if (isMissing(err)) return undefined;
    throw err;
  }
}
