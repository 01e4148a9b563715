import process from "node:process";
import { text } from "node:stream/consumers";
import type { CliIo } from "./cli-io.ts";

/** The process that we are. For the main program only. */
export function processIo(): CliIo {
  return {
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    readInput: () => text(process.stdin),
    env: process.env,
    signal: untilInterrupted(),
  };
}

function untilInterrupted(): AbortSignal {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
  }
  return interrupted.signal;
}
