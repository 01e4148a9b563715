import { readFile } from "node:fs/promises";
import { type FileSpec, isSecret } from "../../spiffe/files/file-spec.ts";
import type { FilesConfig } from "../config/files-config.ts";
import type { FileSettings } from "../config/files-file-settings.ts";
import { accountId } from "./accounts.ts";

const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/** The files of a configuration, and who may own their folder. */
export interface ResolvedFiles {
  readonly files: readonly FileSpec[];
  readonly directoryUid: number | undefined;
}

/**
 * Looks up what the configuration only names: owners, groups, passwords.
 *
 * @throws {Error} for an unknown name or a password that cannot be read
 */
export async function resolveFiles(
  config: Pick<FilesConfig, "files" | "owner" | "group">,
): Promise<ResolvedFiles> {
  const files: FileSpec[] = [];
  for (const settings of config.files) files.push(await resolveFile(settings, config));
  const directoryUid =
    config.owner === undefined ? undefined : await accountId("passwd", config.owner);
  return { files, directoryUid };
}

async function resolveFile(
  settings: FileSettings,
  defaults: Pick<FilesConfig, "owner" | "group">,
): Promise<FileSpec> {
  const { owner = defaults.owner, group = defaults.group } = settings;
  const common = {
    name: settings.name,
    mode: settings.mode ?? (isSecret(settings) ? SECRET_MODE : PUBLIC_MODE),
    uid: owner === undefined ? undefined : await accountId("passwd", owner),
    gid: group === undefined ? undefined : await accountId("group", group),
  };
  switch (settings.type) {
    case "pem": {
      const { type, holds, trustDomain, omitExpired } = settings;
      return { ...common, type, holds, trustDomain, omitExpired };
    }
    case "pkcs12": {
      const { type, holds, trustDomain, alias } = settings;
      const password = await readPassword(settings.passwordFile);
      return { ...common, type, holds, trustDomain, alias, password };
    }
    case "jwt": {
      const [first = "", ...others] = settings.audience;
      return { ...common, type: settings.type, audience: [first, ...others] };
    }
    case "jwks":
    case "bundle-document":
      return { ...common, type: settings.type, trustDomain: settings.trustDomain };
    case "jwks-by-trust-domain":
      return { ...common, type: settings.type };
  }
}

/** Java takes no others. */
const PASSWORD = /^[ -~]{1,1024}$/;

async function readPassword(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new Error("reading the password of a PKCS#12 file", { cause });
  }
  const password = text.replace(/\r?\n$/, "");
  if (PASSWORD.test(password)) return password;
  throw new Error(`${path}: expected a password of 1 to 1024 printable ASCII characters`);
}
