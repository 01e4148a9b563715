// The command itself in this process.

import { runAssay } from "../../assay.ts";

/** What a command printed, what it complained about, and its exit code. */
export interface CliResult {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs `assay` with these arguments and without any environment. */
export async function runCli(args: readonly string[], signal: AbortSignal): Promise<CliResult> {
  let output = "";
  let errors = "";
  const code = await runAssay([...args], {
    write: (text) => {
      output += text;
    },
    writeError: (text) => {
      errors += text;
    },
    readInput: async () => "",
    env: {},
    signal,
  });
  return { code, output, errors };
}
