/**
 * Options of Node for the parts that run on every node of a cluster, or in every pod, and whose memory counts there: the heap's youngest part stays
 * small. The rest they ask for themselves once they stand (settle-down.ts). A server's is larger, as it makes much that is soon garbage, and
 * still a quarter of what Node would let it have, in each of its threads. docs/performance.md has the figures.
 */
const nodeOptions: Readonly<Record<string, string>> = {
  "agent run": "--max-semi-space-size=1",
  "csi run": "--max-semi-space-size=1",
  "files run": "--max-semi-space-size=1",
  "server run": "--max-semi-space-size=4",
};

/**
 * The command `assay` of a release that may lie anywhere. It becomes the Node beside it: another process in between would close the
 * sockets that systemd passes.
 */
export function shellLauncher(): string {
  const cases = Object.entries(nodeOptions).map(
    ([words, options]) => `"${words}") set -- ${options} "$script" "$@" ;;`,
  );
  return `#!/bin/sh
release=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
script=$release/lib/assay.mjs
case "$1 $2" in
${cases.join("\n")}
*) set -- "$script" "$@" ;;
esac
exec "$release/bin/node" "$@"
`;
}

/**
 * The same for where there is no shell: the kernel starts Node with this script, which runs the command in its own process, or becomes
 * a Node with other options. Becoming one takes the time of a second start, so whoever is in a hurry sets NODE_OPTIONS to them.
 *
 * @param home the folder of the release, which has to lie there
 */
export function kernelLauncher(home: string): string {
  return `#!${home}/bin/node
const nodeOptions = ${JSON.stringify(nodeOptions)};
const script = "${home}/lib/assay.mjs";
const args = process.argv.slice(2);
const options = nodeOptions[args.slice(0, 2).join(" ")];
const isSet = options === undefined || process.env.NODE_OPTIONS?.includes(options);
if (!isSet) process.execve(process.execPath, [process.execPath, options, script, ...args]);
process.argv[1] = script;
import(script);
`;
}
