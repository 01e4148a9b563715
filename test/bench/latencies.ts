import type { Figure } from "./figures.ts";

/** Collects how long something took, time after time. */
export class Latencies {
  readonly #ms: number[] = [];

  get count(): number {
    return this.#ms.length;
  }

  add(ms: number): void {
    this.#ms.push(ms);
  }

  /** Times `action` and returns its result; what throws is not counted. */
  async time<T>(action: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await action();
    this.add(performance.now() - started);
    return result;
  }

  /** The value below which this share of all lies: 0.5 is the median. NaN when there is none. */
  quantile(share: number): number {
    const sorted = this.#ms.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  }

  /** The median and the 99th percentile; `what` names them where a row has others. */
  figures(what: string = ""): readonly Figure[] {
    const prefix = what === "" ? "" : `${what} `;
    return [
      { name: `${prefix}p50`, unit: "ms", value: this.quantile(0.5) },
      { name: `${prefix}p99`, unit: "ms", value: this.quantile(0.99) },
    ];
  }
}

/** Milliseconds to read: three digits that mean something. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1000).toPrecision(3)} s`;
}
