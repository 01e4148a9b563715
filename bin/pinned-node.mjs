// Finds the Node that this checkout pins and hands the process over to it. Plain JavaScript: it has to run on Node 20,
// which is what a fresh machine has, before anything is installed.

import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** The folder of the checkout (or of the unpacked release). */
export const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");

const oldestMajor = 24;

/**
 * The Node to run our sources with: the pinned one, or the running one where no package of it exists for this machine
 * and the running one is new enough. Undefined means that there is none.
 */
export function findNode() {
  // The package itself and not the link in node_modules/.bin: npm 10 makes none where packages for other systems exist too.
  const packages = [
    `node-${process.platform}-${process.arch}`,
    `node-bin-${process.platform}-${process.arch}`,
  ];
  const pinned = packages
    .map((name) => join(root, "node_modules", name, "bin", "node"))
    .find((path) => existsSync(path));
  if (pinned !== undefined) return pinned;
  const major = Number(process.versions.node.split(".")[0]);
  return major >= oldestMajor ? process.execPath : undefined;
}

/** Ends the process with one line that says what is missing. */
export function giveUp(message) {
  process.stderr.write(`assay: ${message}\n`);
  process.exit(1);
}

/**
 * Runs a script under the pinned Node in place of this process: same arguments, standard streams, signals and exit code.
 * Does not return, except where the pinned Node is what runs already: then the script runs right here.
 */
export async function handOver(script, args) {
  const node = findNode();
  if (node === undefined) {
    giveUp(
      `needs Node ${oldestMajor} or newer, this is ${process.version} and none is pinned for ${process.platform}-${process.arch}; install a newer Node`,
    );
  }
  if (realpathSync(node) === realpathSync(process.execPath)) {
    process.argv = [process.execPath, script, ...args];
    await import(script);
    return;
  }
  // One process instead of two where Node can replace itself (22.15 and newer, not on Windows).
  if (typeof process.execve === "function") {
    process.execve(node, [node, script, ...args], process.env);
  }
  const child = spawn(node, [script, ...args], { stdio: "inherit" });
  // Ctrl-C in a terminal reaches the whole process group by itself; a second one would mean "force" to the child.
  const forwarded = process.stdin.isTTY ? ["SIGTERM", "SIGHUP"] : ["SIGTERM", "SIGHUP", "SIGINT"];
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  if (process.stdin.isTTY) process.on("SIGINT", () => {});
  child.on("error", (error) => giveUp(`cannot run ${node}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
