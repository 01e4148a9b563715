import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * The time that everything in a release bears: SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch), else that of
 * the commit, so that the same sources give the same bytes. Where there is neither, as in an unpacked archive of the sources, 1970.
 */
export async function sourceDate(
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Date> {
  const given = env["SOURCE_DATE_EPOCH"];
  const seconds = given ?? (await commitTime(root)) ?? "0";
  if (!/^\d{1,11}$/.test(seconds)) {
    throw new Error(`SOURCE_DATE_EPOCH: expected seconds since 1970, got ${JSON.stringify(given)}`);
  }
  return new Date(Number(seconds) * 1000);
}

async function commitTime(root: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("git", ["log", "-1", "--format=%ct"], {
      cwd: root,
    });
    return stdout.trim();
  } catch {
    return undefined;
  }
}
