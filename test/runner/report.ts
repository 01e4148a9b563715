import { relative } from "node:path";
import type { TestsStream } from "node:test";
import { inspect } from "node:util";

/** What the runner counted so far, over all suites. */
export interface Tally {
  tests: number;
  pass: number;
  fail: number;
  cancelled: number;
  skipped: number;
  todo: number;
}

type Failure = Extract<TestEvent, { type: "test:fail" }>["data"];
type TestEvent = TestsStream extends AsyncIterable<infer E> ? E : never;

/** Prints a line per test file as it ends and every failure where it happens, and adds everything up. */
export class Report {
  readonly tally: Tally = { tests: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  readonly #root: string;
  readonly #print: (text: string) => void;
  /** What files have printed and nobody has seen; shown only with a failure. */
  readonly #output = new Map<string, string>();

  constructor(root: string, print: (text: string) => void) {
    this.#root = root;
    this.#print = print;
  }

  add(event: TestEvent): void {
    switch (event.type) {
      case "test:stdout":
      case "test:stderr": {
        const { file, message } = event.data;
        this.#output.set(file, ((this.#output.get(file) ?? "") + message).slice(-20_000));
        return;
      }
      case "test:pass":
        // A file without tests is reported as one passed test; nothing was tested.
        if (event.data.name === event.data.file || event.data.details.type === "suite") return;
        this.tally.tests += 1;
        if (event.data.skip !== undefined) this.tally.skipped += 1;
        else if (event.data.todo !== undefined) this.tally.todo += 1;
        else this.tally.pass += 1;
        return;
      case "test:fail":
        this.#fail(event.data);
        return;
      case "test:summary":
        this.#endFile(event.data);
        return;
      default:
        return;
    }
  }

  /** Counts and prints what went wrong outside of any test. */
  fault(message: string): void {
    this.tally.tests += 1;
    this.tally.fail += 1;
    this.#print(`not ok ${message}\n`);
  }

  #fail(data: Failure): void {
    const error = data.details.error as Error & { failureType?: string };
    // A parent that fails only because of its children adds nothing.
    if (error.failureType === "subtestsFailed") {
      if (data.details.type !== "suite") this.#count(false);
      return;
    }
    this.#count(error.failureType === "cancelledByParent");
    const place = `${relative(this.#root, data.file ?? "")}:${data.line ?? 0}`;
    const cause = error.cause ?? error;
    this.#print(`not ok ${place} ${data.name}\n${indent(describe(cause))}\n`);
    // A file that broke before its first test: its output is all there is, and no summary follows.
    if (data.name === data.file) this.#printOutput(data.file);
  }

  #count(cancelled: boolean): void {
    this.tally.tests += 1;
    if (cancelled) this.tally.cancelled += 1;
    else this.tally.fail += 1;
  }

  #endFile(data: Extract<TestEvent, { type: "test:summary" }>["data"]): void {
    if (data.file === undefined) return;
    const path = relative(this.#root, data.file);
    const { tests, passed } = data.counts;
    const verdict = data.success ? "ok" : "not ok";
    this.#print(`${verdict} ${path} (${passed}/${tests}, ${Math.round(data.duration_ms)} ms)\n`);
    if (!data.success) this.#printOutput(data.file);
    this.#output.delete(data.file);
  }

  #printOutput(file: string): void {
    const output = this.#output.get(file);
    if (output !== undefined) this.#print(`${indent(output)}\n`);
  }
}

/** An error with what caused it: for one that waited in vain, the cause says what it met instead. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${describe(error.cause)}`;
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, "    ");
}
