/** Whether an error of the file system says that there is no such file or folder. */
export function isMissing(err: unknown): boolean {
  return err instanceof Error && "code" in err && err.code === "ENOENT";
}
