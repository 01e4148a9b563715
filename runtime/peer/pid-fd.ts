import { closeSync, readFileSync } from "node:fs";

/**
 * A handle on a process (pidfd_open(2)). Unlike a PID it never comes to mean another process. Once closed it says that the
 * process has ended, because nobody may rely on it any more.
 */
export class PidFd implements Disposable {
  readonly #hasEnded: (fd: number) => boolean;
  #fd: number;

  /** @param fd a pidfd, which belongs to this object from here on */
  constructor(fd: number, hasEnded: (fd: number) => boolean) {
    this.#fd = fd;
    this.#hasEnded = hasEnded;
  }

  /** Whether the process runs. */
  isAlive(): boolean {
    return this.#fd >= 0 && !this.#hasEnded(this.#fd);
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** When a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); undefined if there is no such process. */
export function readStartTime(pid: number, procRoot: string = "/proc"): string | undefined {
  try {
    return parseStartTime(readFileSync(`${procRoot}/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** The start time in the text of /proc/PID/stat. The name in field 2 may hold spaces and parentheses. */
export function parseStartTime(stat: string): string | undefined {
  const field = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return field !== undefined && /^\d+$/.test(field) ? field : undefined;
}
