import { type Clock, systemClock } from "../time/clock.ts";

/** The part of `process` that delivers signals; given so that tests need not send any. */
export interface SignalSource {
  on(event: NodeJS.Signals, listener: () => void): unknown;
  off(event: NodeJS.Signals, listener: () => void): unknown;
}

/** A signal that tells the process to end, and the way to stop listening for it. */
export interface Shutdown extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * One request to end may arrive several times at once: from the terminal or supervisor, which signal a whole group, and from
 * the launcher or npm, which pass on what they got.
 */
const ECHO_MS = 500;

/**
 * Turns SIGINT and SIGTERM into an AbortSignal. A second one, or `graceMs` without an end after the first, calls `forceExit`:
 * an operator who asks twice must not wait, and neither must a supervisor.
 *
 * @param o.forceExit ends the process, with the exit code that shells give a process killed by that signal
 */
export function listenForShutdown(o: {
  readonly graceMs: number;
  readonly forceExit: (code: number) => void;
  readonly source?: SignalSource;
  readonly clock?: Pick<Clock, "monotonicMs">;
}): Shutdown {
  const { source = process, clock = systemClock } = o;
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let firstAtMs = 0;
  const receive = (exitCode: number) => (): void => {
    if (controller.signal.aborted) {
      if (clock.monotonicMs() - firstAtMs > ECHO_MS) o.forceExit(exitCode);
      return;
    }
    firstAtMs = clock.monotonicMs();
    // Unreferenced: a process that has nothing left to do ends without it.
    timer = setTimeout(() => o.forceExit(exitCode), o.graceMs).unref();
    controller.abort();
  };
  const onInterrupt = receive(128 + 2);
  const onTerminate = receive(128 + 15);
  source.on("SIGINT", onInterrupt);
  source.on("SIGTERM", onTerminate);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      source.off("SIGINT", onInterrupt);
      source.off("SIGTERM", onTerminate);
    },
  };
}

/** Calls `listener` at every SIGHUP, which asks a service to read its configuration again, until disposed. */
export function listenForHangup(listener: () => void, source: SignalSource = process): Disposable {
  source.on("SIGHUP", listener);
  return { [Symbol.dispose]: () => source.off("SIGHUP", listener) };
}

/** Calls `pass` with each of these signals as it comes, in place of what it would do to the process, until disposed. */
export function forwardSignals<S extends NodeJS.Signals>(
  names: readonly S[],
  pass: (name: S) => void,
  source: SignalSource = process,
): Disposable {
  const listeners = names.map((name) => [name, () => pass(name)] as const);
  for (const [name, listener] of listeners) source.on(name, listener);
  return {
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) source.off(name, listener);
    },
  };
}
