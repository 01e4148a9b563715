import assert from "node:assert/strict";
import { type Check, type Program, streamChecks } from "./interop.ts";

/** An identity as the programs that act for workloads tell of it. */
export interface ToldIdentity {
  readonly id: string;
  readonly serial?: string;
}

/** A program in another language that keeps a stream open; told of step by step. Ends with the test. */
export class ActingProgram implements AsyncDisposable {
  readonly #checks: AsyncGenerator<Check>;

  constructor(program: Program) {
    this.#checks = streamChecks(program);
  }

  /** The detail of the next check of this name. @throws {Error} when it failed, or the program ends before it */
  async next(name: string): Promise<unknown> {
    for (;;) {
      const { done, value } = await this.#checks.next();
      if (done) throw new Error(`the program ended without "${name}"`);
      assert.ok(value.ok, `${value.check}: ${String(value.detail)}`);
      if (value.check === name) return value.detail;
      assert.notEqual(value.check, "ended", JSON.stringify(value.detail));
    }
  }

  /** The identities of the next message. */
  async update(): Promise<readonly ToldIdentity[]> {
    return (await this.next("update")) as readonly ToldIdentity[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checks.return(undefined);
  }
}
