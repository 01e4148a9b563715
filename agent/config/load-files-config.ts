import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { ConfigError, decodeConfig, loadConfig } from "../../runtime/config/load.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { type FilesConfig, filesConfigSchema } from "./files-config.ts";
import { convertHelper, type FilesDocument } from "./spiffe-helper/convert-helper.ts";
import { parseHcl } from "./spiffe-helper/hcl.ts";
import { helperConfigSchema } from "./spiffe-helper/helper-config.ts";

const HELPER_EXTENSIONS = [".conf", ".hcl"];
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the configuration of `assay files`: YAML, or by its ending (.conf, .hcl) that of spiffe-helper.
 *
 * @param environmentSocket SPIFFE_ENDPOINT_SOCKET
 * @throws {ConfigError} with all problems at once
 */
export async function loadFilesConfig(
  path: string,
  environmentSocket: string | undefined,
): Promise<FilesConfig> {
  if (!HELPER_EXTENSIONS.includes(extname(path))) return loadConfig(filesConfigSchema, path);
  const document = await loadHelperConfig(path, environmentSocket);
  return decodeConfig(filesConfigSchema, document, path);
}

/** Reads spiffe-helper's configuration as a document of ours. @throws {ConfigError} with what is wrong */
export async function loadHelperConfig(
  path: string,
  environmentSocket: string | undefined,
): Promise<FilesDocument> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (err) {
    const code = err instanceof Error && "code" in err ? String(err.code) : "unknown error";
    throw new ConfigError(path, [{ path: "", message: `cannot be read (${code})` }]);
  }
  if (text.length > MAX_BYTES) {
    throw new ConfigError(path, [{ path: "", message: "expected at most 1 MiB" }]);
  }
  const problem = (err: unknown): ConfigError =>
    new ConfigError(path, [{ path: "", message: describeError(err) }]);
  let value: unknown;
  try {
    value = parseHcl(text);
  } catch (err) {
    throw problem(err);
  }
  const helper = decodeConfig(helperConfigSchema, value, path);
  try {
    return convertHelper(helper, environmentSocket);
  } catch (err) {
    throw problem(err);
  }
}
