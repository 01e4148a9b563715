import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { Feed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import { forwardSignals } from "../../runtime/process/signals.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import type { CommandSettings } from "../config/files-program-settings.ts";

export interface SupervisedCommandDeps {
  readonly settings: CommandSettings;
  readonly started: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Passed on as they come. The two that ask us to end become `stopSignal`. */
const PASSED_ON = ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"] as const;

const FIRST_RESTART_MS = 1_000;
const MAX_RESTART_MS = 60_000;
/** A command that ran for so long had no trouble starting. */
const SETTLED_MS = 60_000;

/**
 * A program that runs on the files: started once they are there, told of new ones, ended with us. It has our standard streams and
 * a process group of its own, so that nothing of it stays behind.
 */
export class SupervisedCommand {
  readonly #deps: SupervisedCommandDeps;
  readonly #renewals = new Feed(0);
  #child: ChildProcess | undefined;
  #lastExitCode: number | undefined;

  constructor(deps: SupervisedCommandDeps) {
    this.#deps = deps;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Exit code of the last run, as shells give it; undefined if none has ended. */
  get lastExitCode(): number | undefined {
    return this.#lastExitCode;
  }

  /** The files are there. @param changed whether there is something new to tell a program that runs */
  filesReady(changed: boolean): void {
    if (this.#renewals.value > 0 && !changed) return;
    this.#renewals.set(this.#renewals.value + 1);
    const { reloadSignal } = this.#deps.settings;
    if (reloadSignal !== undefined) this.#child?.kill(reloadSignal);
  }

  /**
   * Runs it until it ends for good, or until `signal` aborts and it has been ended.
   *
   * @returns the exit code to pass on
   * @throws {Error} when it cannot be started and is not to be tried again
   */
  async run(signal: AbortSignal): Promise<number> {
    const { settings, clock, random, log } = this.#deps;
    const backoff = new Backoff({ baseMs: FIRST_RESTART_MS, maxMs: MAX_RESTART_MS, random });
    // Also while no command runs: they are meant for it, and must not end us.
    using _forwarding = forwardSignals(PASSED_ON, (name) => void this.#child?.kill(name));
    await this.#renewalAfter(0, signal);
    while (!signal.aborted) {
      const startedWith = this.#renewals.value;
      const startedAtMs = clock.monotonicMs();
      const code = await this.#runOnce(signal);
      this.#lastExitCode = code;
      if (signal.aborted) return code;
      if (settings.restart === "never" || (settings.restart === "on-failure" && code === 0)) {
        log.info({ exit_code: code }, "Command ended");
        return code;
      }
      if (settings.restart === "on-renewal") {
        log.info({ exit_code: code }, "Command ended, it starts again with the next files");
        await this.#renewalAfter(startedWith, signal);
        continue;
      }
      if (clock.monotonicMs() - startedAtMs > SETTLED_MS) backoff.reset();
      const retryInMs = backoff.nextMs();
      log.warn({ exit_code: code, retry_in_ms: retryInMs }, "Command ended and is started again");
      await clock.sleep(retryInMs, signal);
    }
    return this.#lastExitCode ?? 0;
  }

  async #renewalAfter(count: number, signal: AbortSignal): Promise<void> {
    for await (const renewals of this.#renewals.subscribe(signal)) if (renewals > count) return;
  }

  async #runOnce(signal: AbortSignal): Promise<number> {
    const { settings, log, started } = this.#deps;
    const [file = "", ...args] = settings.run;
    const child = spawn(file, args, { stdio: "inherit", detached: true });
    try {
      await once(child, "spawn");
    } catch (cause) {
      throw new Error("starting the command", { cause });
    }
    this.#child = child;
    started();
    log.info({ command: file, command_pid: child.pid }, "Command started");
    child.on("error", (err) => log.warn({ err }, "Command could not be signalled"));
    const exited = exitCodeOf(child);
    try {
      // An abort only ends the wait.
      await untilAborted(exited, signal).catch(() => {});
      if (signal.aborted) await this.#end(child, exited);
      return await exited;
    } finally {
      this.#child = undefined;
    }
  }

  async #end(child: ChildProcess, exited: Promise<number>): Promise<void> {
    const { settings, clock, log } = this.#deps;
    child.kill(settings.stopSignal);
    const over = new AbortController();
    const late = clock.sleep(settings.grace, over.signal).then(() => "late" as const);
    if ((await Promise.race([exited, late])) === "late") {
      log.warn({ grace_ms: settings.grace }, "Command did not end in time and was killed");
    }
    over.abort();
    killGroup(child.pid);
  }
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? 128 + (numbers[signal ?? ""] ?? 0)));
  });
}

/** Whatever the command left behind. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}
