// What every file of ours keeps to and neither compiler nor linter can say.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { findLines, isTestCode, readSources, type Source } from "./support/sources.ts";

const sources = await readSources();
const product = sources.filter(({ path }) => !isTestCode(path));

function assertNowhere(
  pattern: RegExp,
  among: readonly Source[],
  allowed: readonly string[] = [],
): void {
  const found = among
    .filter(({ path }) => !allowed.some((place) => path.startsWith(place)))
    .flatMap((source) => findLines(source, pattern));
  assert.deepEqual(found, []);
}

suite("conventions", () => {
  test("the wall clock is read only by Clock, the log and gRPC", () => {
    assertNowhere(/\bDate\.now\(|\bnew Date\(\)/, product, [
      "runtime/time/clock.ts",
      "runtime/log.ts",
      // Deadlines of gRPC calls are instants of the wall clock.
      "runtime/rpc/",
    ]);
  });

  test("chance comes only from Random", () => {
    assertNowhere(/\bMath\.random\(|\brandom(Bytes|UUID|Int)\(/, product, ["runtime/random.ts"]);
  });

  test("timers are set only in runtime", () => {
    assertNowhere(/(?<![.\w])set(Timeout|Interval)\(/, product, ["runtime/"]);
  });

  test("only an entry point ends the process", () => {
    assertNowhere(/\bprocess\.exit\(/, product, [
      "runtime/process/",
      "assay.ts",
      "server/main.ts",
      "agent/main.ts",
      "deploy/local/start.ts",
      "deploy/local/demo.ts",
    ]);
  });

  test("zod is imported whole, so that a bundle takes only what is used of it", () => {
    assertNowhere(/import (type )?\{.*\} from "zod"/, product);
  });

  test("no test is left out or singled out", () => {
    // An omission goes through requires(), which the runner reports.
    const marks =
      /\b(test|it|suite|describe)\.(only|skip|todo)\b|\b(skip|todo|only): *(true|["'`])/;
    assertNowhere(
      marks,
      sources.filter(({ path }) => isTestCode(path)),
      ["test/conventions.test.ts"],
    );
  });

  test("an open end names its issue", () => {
    const loose = sources.flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, index) =>
          /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(line) ? [`${path}:${index + 1}`] : [],
        ),
    );
    assert.deepEqual(
      loose.filter((place) => !place.startsWith("test/conventions.test.ts")),
      [],
    );
  });
});
