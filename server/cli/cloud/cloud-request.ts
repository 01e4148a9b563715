import { CliError, ExitCode } from "../../../runtime/cli/exit-code.ts";
import { describeError } from "../../../runtime/errors/describe.ts";

/** A cloud's answer: whatever it is, it came in time and was not too large. */
export interface CloudAnswer {
  readonly status: number;
  /** Without parameters, in lower case. */
  readonly contentType: string;
  readonly body: string;
}

export interface CloudRequest {
  /** https; http to this machine only. */
  readonly url: string;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole exchange; 15 s unless given. */
  readonly timeoutMs?: number;
}

/** Answers with credentials are a few kilobytes. */
const MAX_BYTES = 256 * 1024;
/** Programs wait for it. */
const TIMEOUT_MS = 15_000;

/**
 * Posts to a cloud's token service. A redirect is refused, since what is posted is a credential.
 *
 * @throws {CliError} unavailable when no usable answer comes in time
 */
export async function postToCloud(
  request: CloudRequest,
  signal: AbortSignal,
): Promise<CloudAnswer> {
  const { url, contentType, body, headers, timeoutMs = TIMEOUT_MS } = request;
  checkUrl(url);
  try {
    const answer = await fetch(url, {
      method: "POST",
      redirect: "error",
      headers: { ...headers, "content-type": contentType, accept: "*/*" },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const [type = ""] = (answer.headers.get("content-type") ?? "").split(";", 1);
    const text = await readLimited(answer);
    return { status: answer.status, contentType: type.trim().toLowerCase(), body: text };
  } catch (err) {
    if (err instanceof CliError) throw err;
    const { host } = new URL(url);
    throw new CliError(`${host} does not answer: ${reasonOf(err, timeoutMs)}`, {
      exitCode: ExitCode.unavailable,
      cause: err,
    });
  }
}

/** A form as HTML posts it, without what is not given. */
export function formOf(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return new URLSearchParams(given).toString();
}

async function readLimited(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error(`answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}

function checkUrl(text: string): void {
  const url = URL.parse(text);
  const isLocal = url?.hostname === "127.0.0.1" || url?.hostname === "localhost";
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLocal)) return;
  throw new CliError(`${JSON.stringify(text)}: expected an https URL`, {
    exitCode: ExitCode.usage,
  });
}

function reasonOf(err: unknown, timeoutMs: number): string {
  if (err instanceof Error && err.name === "TimeoutError") {
    return `no whole answer in ${timeoutMs / 1000} s`;
  }
  return describeError(err instanceof Error && err.cause !== undefined ? err.cause : err);
}
