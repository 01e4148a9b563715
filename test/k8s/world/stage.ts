import type { KubeCluster } from "../cluster/kube-cluster.ts";
import { listEverything } from "./everything.ts";
import { installChart, type Values } from "./world.ts";

/** A cluster with the chart on it, for stories that come one after the other. */
export class Stage<C extends KubeCluster & AsyncDisposable> implements AsyncDisposable {
  readonly #start: () => Promise<C>;
  #running: C | undefined;
  #present: ReadonlySet<string> = new Set();

  constructor(start: () => Promise<C>) {
    this.#start = start;
  }

  /** Starts it and installs the chart. */
  async open(values: Values = {}): Promise<void> {
    this.#running = await this.#start();
    this.#present = await listEverything(this.#running);
    await installChart(this.#running, values);
  }

  get cluster(): C {
    if (this.#running === undefined) throw new Error("the cluster did not start");
    return this.#running;
  }

  /** What the cluster had before the chart was installed. */
  get present(): ReadonlySet<string> {
    return this.#present;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
  }
}
