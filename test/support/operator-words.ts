// What operators meet of the code by its very words: messages of the log, reasons of refusals, names of metrics.

import { isTestCode, type Source } from "./sources.ts";

/** The constant texts of warnings and errors. */
export function findLogMessages(sources: readonly Source[]): ReadonlySet<string> {
  return new Set(
    productOf(sources).flatMap(({ code }) =>
      [...code.matchAll(/\blog\.(?:warn|error)\(/g)].flatMap(({ index }) => {
        const texts = [...argumentsAt(code, index).matchAll(/"((?:[^"\\]|\\.)*)"/g)];
        return texts.at(-1)?.[1] ?? [];
      }),
    ),
  );
}

/** Reason codes, where they are given to what makes a refusal of them. */
export function findReasons(sources: readonly Source[]): ReadonlySet<string> {
  const given =
    /(?:\breason(?:Code)?: |\b(?:deny|object|agentRefused|accessError|StoreFailure)\(\s*|\brefuse\((?:deps, call, )?)"([a-z0-9_]+)"/g;
  return new Set(
    productOf(sources).flatMap(({ code }) =>
      [...code.matchAll(given)].map(([, name = ""]) => name),
    ),
  );
}

/** Metrics; "*" stands for what a name begins with where several parts share a metric. */
export function findMetrics(sources: readonly Source[]): ReadonlySet<string> {
  const declared = /\.(?:counter|gauge|histogram)\(\s*["`]([^"`]+)["`]/g;
  const named = /(?:\.addTo\(\w+, |\bmetric: )"([^"]+)"/g;
  return new Set(
    productOf(sources).flatMap(({ code }) =>
      [...code.matchAll(declared), ...code.matchAll(named)].map(([, name = ""]) =>
        name.replace(/\$\{\w+\}/, "*"),
      ),
    ),
  );
}

function productOf(sources: readonly Source[]): readonly Source[] {
  const parts = ["runtime/", "proto/convert/", "server/", "agent/"];
  return sources.filter(
    ({ path }) => !isTestCode(path) && parts.some((part) => path.startsWith(part)),
  );
}

/** The text between the next parenthesis and its partner. */
function argumentsAt(code: string, index: number): string {
  const start = code.indexOf("(", index);
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    if (code[at] === "(") depth += 1;
    if (code[at] === ")") depth -= 1;
    if (depth === 0) return code.slice(start, at);
  }
  return code.slice(start);
}
