/** Where everything of one cluster is; clusters of different numbers can be joined. */
export class Addresses {
  /** From 1. */
  readonly #cluster: number;

  constructor(cluster: number) {
    this.#cluster = cluster;
  }

  /** The machine of the control plane, which is also the router of the nodes. */
  get controlPlane(): string {
    return `10.66.${this.#cluster}.1`;
  }

  get nodes(): string {
    return `10.66.${this.#cluster}.0/24`;
  }

  /** @param node from 1 */
  node(node: number): string {
    return `10.66.${this.#cluster}.${10 + node}`;
  }

  /** Of all nodes together. */
  get pods(): string {
    return `10.${100 + this.#cluster}.0.0/16`;
  }

  podsOf(node: number): string {
    return `10.${100 + this.#cluster}.${node}.0/24`;
  }

  get services(): string {
    return `10.96.${this.#cluster}.0/24`;
  }

  /** Of the API server inside the cluster. */
  get apiService(): string {
    return `10.96.${this.#cluster}.1`;
  }

  get dnsService(): string {
    return `10.96.${this.#cluster}.10`;
  }
}
