import { CliError, ExitCode } from "../../../runtime/cli/exit-code.ts";
import { SpiffeError } from "../../../spiffe/error.ts";
import {
  isJsonObject,
  type JsonObject,
  parseStrictJson,
} from "../../../spiffe/json/strict-json.ts";
import type { CloudAnswer } from "./cloud-request.ts";

const MAX_LENGTH = 256 * 1024;
const MAX_SECONDS = 86_400 * 7;

/** Reads a JSON object out of an answer. @throws {CliError} unavailable for anything else */
export function jsonOf(who: string, { status, body }: CloudAnswer): JsonObject {
  try {
    const value = parseStrictJson(body, { maxLength: MAX_LENGTH });
    if (isJsonObject(value)) return value;
  } catch (err) {
    if (!(err instanceof SpiffeError)) throw err;
  }
  throw unusable(who, `status ${status} without a JSON object`);
}

/** A text that an answer must have; not quoted in errors, since it may be a credential. */
export function textIn(who: string, object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value === "string" && value !== "") return value;
  throw unusable(who, `the answer has no text ${name}`);
}

/** A duration in whole seconds, up to a week. Some services write it as a text. */
export function secondsIn(who: string, object: JsonObject, name: string): number {
  const value = object[name];
  const seconds = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof seconds === "bigint" || typeof seconds === "number") {
    const count = Number(seconds);
    if (Number.isInteger(count) && count > 0 && count <= MAX_SECONDS) return count;
  }
  throw unusable(who, `the answer has no lifetime ${name}`);
}

/** The answer is none that the protocol knows. */
export function unusable(who: string, problem: string): CliError {
  return new CliError(`${who}: ${problem}`, { exitCode: ExitCode.unavailable });
}

/** What a cloud says is cut, and shown as a JSON text: it is somebody else's. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 400 ? `${text.slice(0, 400)}...` : text);
}

/** A refusal with the code of the cloud; whether asking again may help is told by the exit code. */
export function refusedBy(who: string, status: number, code: string, message: string): CliError {
  const isBusy = status === 429 || status >= 500;
  return new CliError(`${who} refused: ${quoted(code)} ${quoted(message)}`, {
    exitCode: isBusy ? ExitCode.unavailable : ExitCode.refused,
  });
}
