import process from "node:process";
import { text } from "node:stream/consumers";
import { listenForShutdown } from "../process/signals.ts";
import type { CliIo } from "./cli-io.ts";

/** Longer than any command or service of ours takes to end in order. */
const GRACE_MS = 30_000;

/**
 * The process that we are. For the main program only.
 *
 * @param forceExit see {@link listenForShutdown}
 */
export function processIo(forceExit: (code: number) => void): CliIo {
  return {
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    readInput: () => text(process.stdin),
    env: process.env,
    signal: listenForShutdown({ graceMs: GRACE_MS, forceExit }).signal,
  };
}
