import type { LentKey } from "../keymanager/key-manager.ts";
import type { CsrRefusal, SvidItem } from "./svid-preparation.ts";
import type { IssuerParts } from "./svid-template.ts";

/** What a signing thread is told. */
export type ToWorker = LentKey | LearnAuthority | ForgetAuthority | Work;

/** An authority that jobs will name. */
export interface LearnAuthority {
  readonly kind: "authority";
  readonly id: string;
  /** The lent key; absent when the key lives elsewhere, and then signing is left to the main thread. */
  readonly keyId?: string;
  readonly issuer: IssuerParts;
}

/** An authority that no new job will name; its key leaves the thread. */
export interface ForgetAuthority {
  readonly kind: "forget";
  readonly id: string;
}

/** Everything that gathered for a thread while it was busy. It answers once, with {@link Done}. */
export interface Work {
  readonly kind: "work";
  /** Jobs to be prepared: checked and built, not signed. */
  readonly prepare: readonly PrepareJob[];
  /** Jobs that were prepared, and whose intents have become durable: to be signed now. */
  readonly sign: readonly number[];
  /** Jobs that are not to be signed after all. */
  readonly drop: readonly number[];
}

/** SVIDs of one call. */
export interface PrepareJob {
  readonly job: number;
  readonly authorityId: string;
  readonly items: readonly SvidItem[];
}

/** What a signing thread answers: the jobs it was told to sign. */
export interface Done {
  readonly signed: readonly SignedJob[];
}

/** Results in the order of the items. */
export interface SignedJob {
  readonly job: number;
  readonly items: readonly WorkerResult[];
}

/** A certificate; or checked bytes that somebody else has to sign; or why there is neither. */
export type WorkerResult =
  | { readonly certificateDer: Uint8Array }
  | { readonly tbsDer: Uint8Array }
  | { readonly refusal: CsrRefusal; readonly message: string };

/** Byte strings laid side by side in one block of memory, which then moves between threads without being copied. */
export class Pack {
  readonly buffer: ArrayBuffer;
  #at = 0;

  constructor(length: number) {
    this.buffer = new ArrayBuffer(length);
  }

  /** Copies bytes into the block; answers where they are now. */
  add(bytes: Uint8Array): Uint8Array {
    const view = new Uint8Array(this.buffer, this.#at, bytes.length);
    view.set(bytes);
    this.#at += bytes.length;
    return view;
  }
}
