import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Writable } from "node:stream";

/** Where audit records are copied to. More kinds will follow. */
export interface AuditTarget {
  /** Takes whole lines; what it took is as safe as the target makes it when this resolves. */
  write(lines: Uint8Array): Promise<void>;
}

/** A file, which is opened anew for each write, so that it may be moved away at any time by whatever rotates logs. */
export function fileTarget(path: string): AuditTarget {
  return {
    write: async (lines) => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await using file = await open(path, "a", 0o600);
      await file.writeFile(lines);
      await file.datasync();
    },
  };
}

/** A stream such as standard output. */
export function streamTarget(stream: Writable): AuditTarget {
  return {
    write: (lines) =>
      new Promise((resolve, reject) => {
        stream.write(lines, (err) => (err ? reject(err) : resolve()));
      }),
  };
}
