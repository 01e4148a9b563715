import { describeError } from "../errors/describe.ts";
import { Status, StatusError } from "../errors/status-error.ts";
import type { CliIo } from "./cli-io.ts";
import { CliError, type ExitCode, exitCodeOf } from "./exit-code.ts";

/** Tells a person what went wrong and, where we know, what to do. Returns the exit code. */
export function reportFailure(io: CliIo, err: unknown): ExitCode {
  const text = err instanceof StatusError ? err.message : describeError(err);
  io.writeError(`error: ${text}\n`);
  const reason = err instanceof StatusError ? err.reason : undefined;
  if (reason) io.writeError(`reason: ${reason}\n`);
  const hint = hintFor(err);
  if (hint) io.writeError(`hint: ${hint}\n`);
  return exitCodeOf(err);
}

function hintFor(err: unknown): string | undefined {
  if (err instanceof CliError) return err.hint;
  if (!(err instanceof StatusError)) return undefined;
  if (err.reason === "no_identity") return "`assay why --pid PID` tells the reason to operators";
  switch (err.code) {
    case Status.UNAVAILABLE:
      // Whoever gives a reason is there.
      if (err.reason) return undefined;
      return "is the other side running, and is this its address? see --socket and --server";
    case Status.PERMISSION_DENIED:
      return "`assay access can` tells which roles a caller has";
    case Status.RESOURCE_EXHAUSTED:
      return "a limit of this caller is used up; try again later";
    default:
      return undefined;
  }
}
