/** A token of the HCL that spiffe-helper reads. */
export interface HclToken {
  readonly kind: "name" | "string" | "number" | "mark" | "end";
  /** The value of a string, the text of everything else. */
  readonly text: string;
  readonly line: number;
}

/** A text that is not the HCL we understand. */
export class HclError extends Error {
  override readonly name = "HclError";

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
  }
}

const PATTERNS: readonly (readonly [HclToken["kind"] | "space", RegExp])[] = [
  ["space", /[ \t\r\n\f\v]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//y],
  ["string", /"(?:[^"\\\n]|\\.)*"/y],
  ["number", /-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d+)?)(?![\w.])/y],
  ["name", /[A-Za-z_][A-Za-z0-9_.-]*/y],
  ["mark", /[{}[\],=:]/y],
];

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  '"': '"',
  "\\": "\\",
};

/** Splits a text into tokens; comments and white space are gone, an `end` is last. @throws {HclError} */
export function tokenizeHcl(text: string): readonly HclToken[] {
  const tokens: HclToken[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const found = matchAt(text, at);
    if (found === undefined) throw new HclError(line, `unexpected ${describeRest(text, at)}`);
    const [kind, raw] = found;
    if (kind === "string") tokens.push({ kind, text: unescapeText(raw.slice(1, -1), line), line });
    else if (kind !== "space") tokens.push({ kind, text: raw, line });
    at += raw.length;
    line += raw.split("\n").length - 1;
  }
  return [...tokens, { kind: "end", text: "", line }];
}

function matchAt(
  text: string,
  at: number,
): readonly [HclToken["kind"] | "space", string] | undefined {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const [raw] = pattern.exec(text) ?? [];
    if (raw !== undefined) return [kind, raw];
  }
  return undefined;
}

function describeRest(text: string, at: number): string {
  if (text[at] === '"') return "string without an end";
  if (text.startsWith("<<", at)) return "heredoc, which is not supported";
  if (text.startsWith("/*", at)) return "comment without an end";
  return JSON.stringify(text.slice(at, at + 10));
}

function unescapeText(body: string, line: number): string {
  return body.replace(/\\(u[0-9A-Fa-f]{4}|[\s\S])/g, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    const character = ESCAPES[code];
    if (character === undefined) throw new HclError(line, `unknown escape \\${code}`);
    return character;
  });
}
