import type { Addresses } from "./addresses.ts";
import type { Host } from "./host.ts";

/** A cluster's router, and what lies behind it. */
export interface Side {
  readonly router: Host;
  readonly addresses: Addresses;
}

/** Joins the networks of two clusters by a link between their routers: nodes and pods reach each other by address. */
export async function joinClusters(first: Side, second: Side, number: number): Promise<void> {
  const [near, far] = [`10.67.${number}.1`, `10.67.${number}.2`];
  const routes = ({ addresses }: Side, via: string): string =>
    [addresses.nodes, addresses.pods].map((net) => `ip route replace ${net} via ${via}`).join("\n");
  // The name of a cluster that was there before may still be taken.
  await runAll(first.router, [
    `ip link delete cluster${number} 2>/dev/null || true`,
    `ip link add cluster${number} type veth peer name peer${number}`,
  ]);
  const move = ["ip", "link", "set", `peer${number}`, "netns", String(second.router.pid)];
  await first.router.runInNetwork([...move, "name", "peer"]);
  await runAll(second.router, [
    `ip addr add ${far}/30 dev peer`,
    "ip link set peer up",
    routes(first, near),
  ]);
  await runAll(first.router, [
    `ip addr add ${near}/30 dev cluster${number}`,
    `ip link set cluster${number} up`,
    routes(second, far),
  ]);
}

async function runAll(host: Host, lines: readonly string[]): Promise<void> {
  await host.run(["sh", "-ec", lines.join("\n")]);
}
