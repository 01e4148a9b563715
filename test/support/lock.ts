import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Does something that one process at a time may do on this machine. The lock is the kernel's, so it goes with its holder,
 * however that ends.
 *
 * @param say hears when another process has to be waited for
 */
export async function withLock<T>(
  path: string,
  say: (line: string) => void,
  act: () => Promise<T>,
): Promise<T> {
  // Prints a line once it has the lock, and keeps it until its standard input ends.
  const holder = spawn("flock", [path, "sh", "-c", "echo held; cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(holder, "close");
  const slow = setTimeout(() => say(`waiting for another process to release ${path}`), 1000);
  try {
    const [first] = await Promise.race([once(holder.stdout, "data"), ended]);
    if (String(first) !== "held\n") throw new Error(`cannot lock ${path}`);
    clearTimeout(slow);
    return await act();
  } finally {
    clearTimeout(slow);
    holder.stdin.end();
    await ended;
  }
}
