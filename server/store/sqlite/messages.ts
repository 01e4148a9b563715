import type { StatusError } from "../../../runtime/errors/status-error.ts";
import type { ReadOperations } from "../contract/operations.ts";
import type { StoreFault } from "../store.ts";
import type { OpenStoreOptions } from "./open-store.ts";
import type { SentCommit, SentRequest } from "./sent-creations.ts";

/** What the worker needs to know at its start. */
export type WorkerSetup = OpenStoreOptions;

/** One query. */
export type ReadRequest = {
  readonly [K in keyof ReadOperations]: {
    readonly operation: K;
    readonly input: ReadOperations[K]["input"];
  };
}[keyof ReadOperations];

/** What the store asks of its worker. Many travel in one message. */
export type Task =
  | { readonly id: number; readonly kind: "write"; readonly request: SentRequest }
  | { readonly id: number; readonly kind: "read"; readonly request: ReadRequest }
  | { readonly id: number; readonly kind: "backup"; readonly path: string }
  | { readonly id: number; readonly kind: "close" };

/** An error on its way between threads. */
export type SentError =
  | {
      readonly kind: "status";
      readonly code: StatusError["code"];
      readonly message: string;
      readonly reason?: string;
      /** Text of the cause, for our log only. */
      readonly cause?: string;
    }
  | { readonly kind: "fault"; readonly fault: StoreFault; readonly cause: string };

export type Answer =
  | { readonly id: number; readonly ok: true; readonly output: unknown }
  | { readonly id: number; readonly ok: false; readonly error: SentError };

/** What the worker tells the store. */
export type Report =
  | {
      readonly kind: "open";
      readonly incarnation: string;
      readonly revision: bigint;
    }
  | { readonly kind: "failed"; readonly error: SentError }
  | { readonly kind: "answers"; readonly answers: readonly Answer[] }
  | {
      readonly kind: "group";
      readonly revision: bigint;
      readonly commit?: SentCommit;
      readonly answers: readonly Answer[];
    };
