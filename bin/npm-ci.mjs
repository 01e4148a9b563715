// Installs the locked dependencies. Plain JavaScript that runs on Node 20.

import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import process from "node:process";
import { giveUp } from "./pinned-node.mjs";

/**
 * Runs `npm ci` in a folder and ends the process with one line if that fails. npm waits without end for a download that
 * stands still, so each try has a time limit (milliseconds); what a try has fetched is in npm's cache for the next one.
 */
export function npmCi(folder, { limits = [3 * 60_000, 5 * 60_000, 10 * 60_000] } = {}) {
  process.stderr.write("assay: installing dependencies (npm ci --ignore-scripts)\n");
  const { file, first, env } = outsideNpm(join(folder, "node_modules"));
  const args = [...first, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  for (const timeout of limits) {
    const done = spawnSync(file, args, {
      cwd: folder,
      // Standard output belongs to the command that follows.
      stdio: ["ignore", 2, 2],
      env,
      timeout,
      killSignal: "SIGKILL",
    });
    if (done.error?.code === "ETIMEDOUT") {
      process.stderr.write(`assay: npm ci did not end in ${timeout / 1000} s, stopped\n`);
      continue;
    }
    if (done.error !== undefined) giveUp(`cannot run npm: ${done.error.message}`);
    if (done.status !== 0) giveUp("npm ci failed, see above");
    return;
  }
  giveUp(`npm ci did not end in ${limits.length} tries, is its registry within reach?`);
}

/** This very process may run from the node_modules that npm is about to replace, so npm gets the Node it came with. */
function outsideNpm(modules) {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  const outside = (path) => !path.startsWith(modules);
  const PATH = (process.env.PATH ?? "").split(delimiter).filter(outside).join(delimiter);
  const env = { ...process.env, PATH };
  return script !== undefined && node !== undefined && outside(node)
    ? { file: node, first: [script], env }
    : { file: "npm", first: [], env };
}
