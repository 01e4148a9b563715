import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ReloadSettings } from "../config/files-program-settings.ts";
import { processesNamed, processInFile } from "./find-processes.ts";

/**
 * Tells a program of new files, in the one way that the settings name.
 *
 * @throws {NoProcess} when there is no such process
 * @throws {Error} when it cannot be told, or the command failed
 */
export async function reload(settings: ReloadSettings, signal: AbortSignal): Promise<void> {
  switch (settings.type) {
    case "pidFile":
      process.kill(await processInFile(settings.path), settings.signal);
      return;
    case "processName":
      for (const pid of await processesNamed(settings.process)) process.kill(pid, settings.signal);
      return;
    case "command":
      await runCommand(settings.run, settings.timeout, signal);
  }
}

async function runCommand(
  [file = "", ...args]: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  // Its output goes where ours goes; standard output stays for a supervised program.
  const child = spawn(file, args, {
    stdio: ["ignore", 2, 2],
    signal: either,
    killSignal: "SIGKILL",
  });
  let ended: unknown[];
  try {
    ended = await once(child, "exit");
  } catch (cause) {
    if (timeout.aborted) throw new Error(`command did not end within ${timeoutMs} ms`);
    throw new Error("running the command", { cause });
  }
  const [code, killedBy] = ended;
  if (timeout.aborted) throw new Error(`command did not end within ${timeoutMs} ms`);
  if (code !== 0) throw new Error(`command ended with ${killedBy ?? `exit code ${code}`}`);
}
