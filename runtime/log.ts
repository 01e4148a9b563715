import { type DestinationStream, destination, type Logger as Pino, pino } from "pino";
import { describeError } from "./errors/describe.ts";
import { StatusError, statusName } from "./errors/status-error.ts";
import { formatLogLine } from "./log-text.ts";

/** How much is logged: each level includes those after it. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes one line: a constant message, or fields in snake_case and a constant message. */
export interface LogFunction {
  (fields: object, msg: string): void;
  (msg: string): void;
}

/**
 * Structured log, passed in as an argument. error: someone must look. warn: we coped, but it is not normal. info: state
 * changed. debug: per request. Setting `level` on any logger changes it for the whole family, so it can be done at run time.
 */
export interface Logger {
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
  /** A logger that adds `fields` to each line. Costs next to nothing until it writes. */
  child(fields: object): Logger;
  level: string;
}

/** Where lines go: a file descriptor of the process, or anything that takes text. */
export type LogDestination = "stdout" | "stderr" | { write(line: string): void };

/**
 * Keys whose values never reach the log, at the top level of the fields or one below. A safety net only: the rule is that
 * nobody passes such values.
 */
export const REDACTED_KEYS: readonly string[] = [
  "private_key",
  "privateKey",
  "token",
  "join_token",
  "joinToken",
  "jwt",
  "csr",
  "svid",
  "payload",
  "password",
  "secret",
  "authorization",
];

/**
 * Makes the root logger. Lines are JSON objects with RFC 3339 times in UTC, or text for people. Writing is synchronous, so
 * nothing is lost when the process ends.
 */
export function createLogger(o: {
  readonly level: LogLevel;
  readonly format: "json" | "text";
  readonly destination?: LogDestination;
}): Logger {
  const level = { name: o.level, value: pino.levels.values[o.level] ?? 0 };
  const root = pino(
    {
      level: "debug",
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: serializeError },
      redact: {
        paths: REDACTED_KEYS.flatMap((key) => [key, `*.${key}`]),
        censor: "[redacted]",
      },
    },
    openDestination(o.destination ?? "stderr", o.format),
  );
  return new LazyLogger(level, root, {});
}

function openDestination(target: LogDestination, format: "json" | "text"): DestinationStream {
  const raw =
    typeof target === "string"
      ? destination({ fd: target === "stdout" ? 1 : 2, sync: true })
      : target;
  return format === "json" ? raw : { write: (line) => void raw.write(formatLogLine(line)) };
}

/** The level that a family of loggers shares. */
interface SharedLevel {
  name: string;
  value: number;
}

// pino gives each child a level of its own and makes children eagerly. Ours share one level, and the pino child is made at
// its first line: a request that logs nothing pays for one small object.
class LazyLogger implements Logger {
  readonly #level: SharedLevel;
  readonly #parent: LazyLogger | Pino;
  readonly #fields: object;
  #opened: Pino | undefined;

  constructor(level: SharedLevel, parent: LazyLogger | Pino, fields: object) {
    this.#level = level;
    this.#parent = parent;
    this.#fields = fields;
  }

  get level(): string {
    return this.#level.name;
  }

  set level(name: string) {
    const value = pino.levels.values[name];
    if (value === undefined) throw new RangeError(`unknown log level ${JSON.stringify(name)}`);
    this.#level.name = name;
    this.#level.value = value;
  }

  debug(fields: object | string, msg?: string): void {
    this.#write("debug", 20, fields, msg);
  }

  info(fields: object | string, msg?: string): void {
    this.#write("info", 30, fields, msg);
  }

  warn(fields: object | string, msg?: string): void {
    this.#write("warn", 40, fields, msg);
  }

  error(fields: object | string, msg?: string): void {
    this.#write("error", 50, fields, msg);
  }

  child(fields: object): Logger {
    return new LazyLogger(this.#level, this, fields);
  }

  #write(level: LogLevel, value: number, fields: object | string, msg: string | undefined): void {
    if (value < this.#level.value) return;
    const pinoLogger = this.#open();
    if (typeof fields === "string") pinoLogger[level](fields);
    else pinoLogger[level](fields, msg);
  }

  #open(): Pino {
    this.#opened ??= openParent(this.#parent).child(this.#fields);
    return this.#opened;
  }

  static open(logger: LazyLogger): Pino {
    return logger.#open();
  }
}

function openParent(parent: LazyLogger | Pino): Pino {
  return parent instanceof LazyLogger ? LazyLogger.open(parent) : parent;
}

function serializeError(err: unknown): object {
  if (!(err instanceof Error)) return { message: describeError(err) };
  const fields = { type: err.name, message: describeError(err) };
  // A status was made on purpose; where it was made is noise.
  if (err instanceof StatusError) return { ...fields, code: statusName(err.code) };
  return { ...fields, stack: err.stack };
}
