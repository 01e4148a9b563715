/** Counts open connections, all and by address, so that nobody takes more than their share. */
export class ConnectionCounts {
  readonly #limits: { readonly maxConnections: number; readonly maxConnectionsPerAddress: number };
  readonly #byAddress = new Map<string, number>();
  #all = 0;

  constructor(limits: {
    readonly maxConnections: number;
    readonly maxConnectionsPerAddress: number;
  }) {
    this.#limits = limits;
  }

  /** Counts one more; false, and not counted, if that would be one too many. */
  add(address: string): boolean {
    const count = this.#byAddress.get(address) ?? 0;
    if (this.#all >= this.#limits.maxConnections) return false;
    if (count >= this.#limits.maxConnectionsPerAddress) return false;
    this.#byAddress.set(address, count + 1);
    this.#all += 1;
    return true;
  }

  /** Counts one less; once for each connection that was added. */
  remove(address: string): void {
    const count = (this.#byAddress.get(address) ?? 1) - 1;
    if (count === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, count);
    this.#all -= 1;
  }
}
