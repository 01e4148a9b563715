/**
 * Exit codes of every `assay` command, documented in docs/cli.md. Scripts rely on them: never change
 * the meaning of one.
 */
import { Status, StatusError } from "../errors/status-error.ts";

export const ExitCode = {
  ok: 0,
  /** The command failed for a reason that has no code of its own. */
  failed: 1,
  /** The command line, a file or a value is wrong. Nothing was done. */
  usage: 2,
  notFound: 3,
  /** The caller may not do this, or it is not known who the caller is. */
  refused: 4,
  /** The other side is away, busy, or did not answer in time. Trying again may help. */
  unavailable: 5,
  /** What is there already stands in the way. */
  conflict: 6,
  /** Of several items some were done and some were not; each is reported. */
  partial: 7,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The exit code for whatever a command threw. */
export function exitCodeOf(err: unknown): ExitCode {
  if (err instanceof CliError) return err.exitCode;
  return err instanceof StatusError ? exitCodeOfStatus(err.code) : ExitCode.failed;
}

/** The exit code for a gRPC status. */
export function exitCodeOfStatus(code: number): ExitCode {
  switch (code) {
    case Status.OK:
      return ExitCode.ok;
    case Status.INVALID_ARGUMENT:
    case Status.OUT_OF_RANGE:
      return ExitCode.usage;
    case Status.NOT_FOUND:
      return ExitCode.notFound;
    case Status.PERMISSION_DENIED:
    case Status.UNAUTHENTICATED:
      return ExitCode.refused;
    case Status.UNAVAILABLE:
    case Status.DEADLINE_EXCEEDED:
    case Status.RESOURCE_EXHAUSTED:
      return ExitCode.unavailable;
    case Status.ALREADY_EXISTS:
    case Status.FAILED_PRECONDITION:
    case Status.ABORTED:
      return ExitCode.conflict;
    default:
      return ExitCode.failed;
  }
}

/** A failure that a command explains itself. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  /** What the reader can do about it. */
  readonly hint?: string;

  constructor(
    message: string,
    options: { exitCode?: ExitCode; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? ExitCode.failed;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** The command looked after a program, which has ended with this exit code; whatever there is to say, the program has said. */
export class EndedWith extends Error {
  override readonly name = "EndedWith";
  /** 1 to 255. */
  readonly code: number;

  constructor(code: number) {
    super(`ended with exit code ${code}`);
    this.code = code;
  }
}

/** The command line is wrong. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { exitCode: ExitCode.usage, ...(hint && { hint }) });
}
