// Runs small programs in other languages that use other people's SPIFFE software, and reads what they found.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

/** One line that an interoperability program printed. */
export interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly detail?: unknown;
}

/** What to run, with what. */
export interface Program {
  readonly file: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program early. */
  readonly signal?: AbortSignal;
}

/** Runs a program and yields its checks as it prints them. */
export async function* streamChecks(program: Program): AsyncGenerator<Check> {
  const child = start(program);
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-10_000);
  });
  const ended = new Promise<string>((resolve) => {
    child.on("error", (err) => resolve(err.message));
    child.on("close", (code, signal) => resolve(`exit ${code ?? signal}`));
  });
  let complete = false;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const check = parseCheck(line);
      if (check.check === "complete") complete = true;
      else yield check;
    }
    const end = await ended;
    assert.ok(complete, `${program.file} did not get to its end: ${end}\n${errors}`);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Runs a program and makes each of its checks a test of its own; all of `expected` must be among them. */
export async function testChecks(
  t: TestContext,
  program: Program,
  expected: readonly string[],
): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for await (const check of streamChecks(program)) {
    checks.push(check);
    await t.test(check.check, () => assert.ok(check.ok, String(check.detail)));
  }
  const seen = new Set(checks.map(({ check }) => check));
  assert.deepEqual(
    expected.filter((name) => !seen.has(name)),
    [],
    "checks that were not made",
  );
  return checks;
}

/**
 * Runs a program that prints nothing of interest.
 *
 * @throws {Error} with its output when it fails
 */
export async function runToEnd(program: Program): Promise<void> {
  const child = start(program);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
    });
  }
  const end = await new Promise<string>((resolve) => {
    child.on("error", (err) => resolve(err.message));
    child.on("close", (code, signal) => resolve(`exit ${code ?? signal}`));
  });
  if (end !== "exit 0") {
    throw new Error(`${program.file} ${program.args?.join(" ") ?? ""}: ${end}\n${output}`);
  }
}

function start({ file, args = [], cwd, env, signal }: Program) {
  return spawn(file, args, {
    // Standard input stays open: a service runs until it ends.
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal }),
  });
}

function parseCheck(line: string): Check {
  const value: unknown = JSON.parse(line);
  assert.ok(typeof value === "object" && value !== null && "check" in value && "ok" in value, line);
  assert.ok(typeof value.check === "string" && typeof value.ok === "boolean", line);
  return {
    check: value.check,
    ok: value.ok,
    ...("detail" in value ? { detail: value.detail } : {}),
  };
}
