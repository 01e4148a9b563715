#!/usr/bin/env node
// What `npm start`, `npm test` and the other commands below enter through: installs what is missing, then runs the
// command under the pinned Node. Plain JavaScript that runs on Node 20.

import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { npmCi } from "./npm-ci.mjs";
import { giveUp, handOver, root } from "./pinned-node.mjs";

const commands = {
  start: ["deploy/local/start.ts"],
  demo: ["deploy/local/demo.ts"],
  test: ["test/run.ts"],
  "test:long": ["test/run.ts", "--long"],
  "test:k8s": ["test/run.ts", "test/k8s/"],
  cluster: ["test/k8s/up.ts"],
  bench: ["test/bench/main.ts"],
  "bench:k8s": ["test/k8s/bench/main.ts"],
  docs: ["deploy/docs/write.ts"],
  build: ["deploy/release/build.ts"],
  image: ["deploy/image/build.ts"],
  manifests: ["deploy/helm/write-manifests.ts"],
};

const [name, ...args] = process.argv.slice(2);
const command = commands[name];
if (command === undefined && name !== "install") {
  giveUp(
    `unknown command ${JSON.stringify(name)}, one of: install, ${Object.keys(commands).join(", ")}`,
  );
}
if (!isInstalled()) npmCi(root);
if (command !== undefined) {
  const [script, ...fixed] = command;
  await handOver(join(root, script), [...fixed, ...args]);
}

/**
 * Whether node_modules holds what the lock file names. npm writes its own record of an installation last, so an
 * interrupted one counts as none. A linked node_modules belongs to another checkout and is taken as it is.
 */
function isInstalled() {
  const modules = join(root, "node_modules");
  if (!existsSync(modules)) return false;
  if (lstatSync(modules).isSymbolicLink()) return true;
  const record = join(modules, ".package-lock.json");
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  const locked = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === "") return true;
    const found = installed[path];
    // Packages for another system or processor are never installed here.
    if (found === undefined) return wanted.optional === true || wanted.devOptional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}
