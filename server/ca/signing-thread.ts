import { Worker } from "node:worker_threads";
import type { KnownBadKeys } from "../policy/key-policy.ts";
import type { X509Authority } from "./authority.ts";
import {
  type Done,
  Pack,
  type PrepareJob,
  type ToWorker,
  type WorkerResult,
} from "./signing-messages.ts";
import type { SvidItem } from "./svid-preparation.ts";

/** One message that the thread works on, and one that lies ready for it. */
const MAX_IN_FLIGHT = 2;

interface Waiting {
  readonly resolve: (results: readonly WorkerResult[]) => void;
  readonly reject: (err: Error) => void;
}

/**
 * The main thread's end of one signing thread. While the thread is busy, what is asked of it gathers and then goes over in one message:
 * crossing costs as much as half a signature, and so under load it is paid once for many.
 */
export class SigningThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #onEnd: (err: Error, hasWorked: boolean) => void;
  readonly #waiting = new Map<number, Waiting>();
  /** How many items each job has that was begun and neither signed nor dropped. */
  readonly #begun = new Map<number, number>();
  #load = 0;
  #prepare: PrepareJob[] = [];
  #sign: number[] = [];
  #drop: number[] = [];
  #inFlight = 0;
  #hasWorked = false;
  #authorityId: string | undefined;
  #ended: Error | undefined;

  /**
   * @param onEnd called once if the thread ends by itself; with whether it had done anything before
   */
  constructor(knownBadKeys: KnownBadKeys, onEnd: (err: Error, hasWorked: boolean) => void) {
    const workerData = { knownBadKeys: [...knownBadKeys] };
    this.#worker = new Worker(new URL("./signing-worker.ts", import.meta.url), { workerData });
    this.#worker.on("message", (done: Done) => this.#finish(done));
    this.#worker.on("error", (err: Error) => this.#end(err));
    this.#worker.on("exit", () => this.#end(new Error("a signing thread ended")));
    this.#onEnd = onEnd;
    this.#worker.unref();
  }

  /** Items that were begun and are not done. */
  get load(): number {
    return this.#load;
  }

  /** Sends items to be checked and built. */
  begin(job: number, authority: X509Authority, items: readonly SvidItem[]): void {
    this.#begun.set(job, items.length);
    this.#load += items.length;
    if (this.#ended !== undefined) return;
    this.#teach(authority);
    this.#prepare.push({ job, authorityId: authority.id, items });
    this.#send();
  }

  /** Has a job signed that was begun. @throws {Error} if the thread has ended meanwhile */
  sign(job: number): Promise<readonly WorkerResult[]> {
    if (this.#ended !== undefined) {
      this.#forget(job);
      return Promise.reject(this.#ended);
    }
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(job, { resolve, reject });
      this.#sign.push(job);
      this.#send();
    });
  }

  /** Gives up a job that was begun. */
  drop(job: number): void {
    this.#forget(job);
    if (this.#ended !== undefined) return;
    this.#drop.push(job);
    this.#send();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.removeAllListeners("exit");
    await this.#worker.terminate();
  }

  #teach(authority: X509Authority): void {
    const { id, key, issuer } = authority;
    if (id === this.#authorityId) return;
    // Jobs that wait here name the authority before; they have to be there first.
    this.#send(true);
    if (this.#authorityId !== undefined) this.#post({ kind: "forget", id: this.#authorityId });
    key.lend?.(this.#worker);
    this.#post({
      kind: "authority",
      id,
      issuer,
      ...(key.lend === undefined ? {} : { keyId: key.id }),
    });
    this.#authorityId = id;
  }

  #send(now = false): void {
    const gathered = this.#prepare.length + this.#sign.length + this.#drop.length;
    if ((this.#inFlight >= MAX_IN_FLIGHT && !now) || gathered === 0) return;
    const pack = new Pack(this.#prepare.reduce((sum, { items }) => sum + lengthOf(items), 0));
    const prepare = this.#prepare.map((job) => ({
      ...job,
      items: job.items.map((item) => move(item, pack)),
    }));
    this.#post({ kind: "work", prepare, sign: this.#sign, drop: this.#drop }, [pack.buffer]);
    this.#inFlight += 1;
    this.#prepare = [];
    this.#sign = [];
    this.#drop = [];
  }

  #post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #finish({ signed }: Done): void {
    this.#inFlight -= 1;
    this.#hasWorked = true;
    for (const { job, items } of signed) {
      this.#waiting.get(job)?.resolve(items);
      this.#waiting.delete(job);
      this.#forget(job);
    }
    if (this.#waiting.size === 0) this.#worker.unref();
    this.#send();
  }

  #forget(job: number): void {
    this.#load -= this.#begun.get(job) ?? 0;
    this.#begun.delete(job);
  }

  #end(err: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = err;
    this.#onEnd(err, this.#hasWorked);
    for (const { reject } of this.#waiting.values()) reject(err);
    this.#waiting.clear();
  }
}

function lengthOf(items: readonly SvidItem[]): number {
  return items.reduce((sum, { csrDer, serial }) => sum + csrDer.length + serial.length, 0);
}

function move(item: SvidItem, pack: Pack): SvidItem {
  const csrDer = pack.add(item.csrDer);
  // The key is a part of the request: its place in it stays the same.
  const start = item.spkiDer.byteOffset - item.csrDer.byteOffset;
  const spkiDer = csrDer.subarray(start, start + item.spkiDer.length);
  return { ...item, csrDer, spkiDer, serial: pack.add(item.serial) };
}
