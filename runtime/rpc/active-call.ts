import { type Deadline, Metadata } from "@grpc/grpc-js";
import { Status, StatusError } from "../errors/status-error.ts";
import type { Logger } from "../log.ts";
import { systemClock } from "../time/clock.ts";
import type { CallContext } from "./call-context.ts";
import type { Connection } from "./connection.ts";

/** Timers count in whole milliseconds and may fire a little before the wall clock says so. */
const DEADLINE_SLACK_MS = 5;

// Shared: nearly every stream ends so, and an error takes its time to note where it was made.
const DEADLINE_PASSED = new StatusError(Status.DEADLINE_EXCEEDED, "deadline exceeded");
const CALLER_LEFT = new StatusError(Status.CANCELLED, "call cancelled");

/** What all kinds of calls have in common as grpc-js hands them to a handler. */
export interface GrpcCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Deadline;
  getPeer(): string;
  once(event: "cancelled", listener: () => void): unknown;
}

/** What calls of one server share. */
export interface CallDeps {
  readonly log: Logger;
  newRequestId(): string;
}

/**
 * A call while it is served. Everything that a handler may not need (signal, logger, request id, metadata) is made when first
 * asked for, because most calls are short.
 */
export class ActiveCall<C> implements CallContext<C> {
  readonly method: string;
  /** Whether the call may go on for ever, because one side sends a stream. */
  readonly isStream: boolean;
  readonly #grpc: GrpcCall;
  readonly #connection: Connection<C>;
  readonly #deps: CallDeps;
  #requestId: string | undefined;
  #log: Logger | undefined;
  #metadata: ReadonlyMap<string, readonly string[]> | undefined;
  #trailer: Metadata | undefined;
  #controller: AbortController | undefined;
  #endedBy: StatusError | undefined;

  constructor(
    method: string,
    isStream: boolean,
    grpc: GrpcCall,
    connection: Connection<C>,
    deps: CallDeps,
  ) {
    this.method = method;
    this.isStream = isStream;
    this.#grpc = grpc;
    this.#connection = connection;
    this.#deps = deps;
  }

  get caller(): C {
    return this.#connection.caller;
  }

  get connectionId(): string {
    return this.#connection.id;
  }

  get requestId(): string {
    this.#requestId ??= this.#deps.newRequestId();
    return this.#requestId;
  }

  get log(): Logger {
    this.#log ??= this.#deps.log.child({ request_id: this.requestId, rpc_method: this.method });
    return this.#log;
  }

  get metadata(): ReadonlyMap<string, readonly string[]> {
    this.#metadata ??= readMetadata(this.#grpc.metadata);
    return this.#metadata;
  }

  get deadlineMs(): number | undefined {
    // An instant of the machine's clock, which is what grpc-js counts by.
    const deadline = Number(this.#grpc.getDeadline());
    return Number.isFinite(deadline) ? deadline - systemClock.now().getTime() : undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#endedBy !== undefined) this.#controller.abort(this.#endedBy);
      else if (this.#grpc.cancelled) this.#cancel();
      else this.#grpc.once("cancelled", () => this.#cancel());
    }
    return this.#controller.signal;
  }

  /** Why the call was ended before its handler was done, if it was. */
  get endedBy(): StatusError | undefined {
    return this.#endedBy;
  }

  /** What `setTrailer` has gathered. */
  get trailer(): Metadata | undefined {
    return this.#trailer;
  }

  setTrailer(key: string, value: string): void {
    this.#trailer ??= new Metadata();
    this.#trailer.set(key, value);
  }

  /** Aborts the signal for a reason of ours, or because the call is over. Only the first reason counts. */
  end(reason: StatusError): void {
    this.#endedBy ??= reason;
    this.#controller?.abort(this.#endedBy);
  }

  #cancel(): void {
    const { deadlineMs } = this;
    this.end(
      deadlineMs !== undefined && deadlineMs <= DEADLINE_SLACK_MS ? DEADLINE_PASSED : CALLER_LEFT,
    );
  }
}

function readMetadata(metadata: Metadata): ReadonlyMap<string, readonly string[]> {
  const entries = Object.entries(metadata.toJSON()).map(
    ([key, values]) => [key, values.filter((value) => typeof value === "string")] as const,
  );
  return new Map(entries.filter(([, values]) => values.length > 0));
}
