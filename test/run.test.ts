import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { root } from "./support/sources.ts";
import { TempDir } from "./support/temp-dir.ts";

interface Run {
  readonly status: number | null;
  readonly output: string;
  readonly lines: readonly string[];
}

/** Runs the test entry over a tree of these files. */
async function runTree(
  files: Readonly<Record<string, string>>,
  options: { readonly args?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Run> {
  await using dir = await TempDir.open();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(dir.join(path)), { recursive: true });
    await writeFile(dir.join(path), `import { suite, test } from "node:test";\n${text}`);
  }
  // Without these the run inside would be taken for a part of the one around it.
  const { NODE_TEST_CONTEXT: _, CI: __, ASSAY_TEST_OMISSIONS: ___, ...env } = process.env;
  const entry = join(root, "test", "run.ts");
  const child = spawnSync(process.execPath, [entry, "--root", dir.path, ...(options.args ?? [])], {
    env: { ...env, ...options.env },
    encoding: "utf8",
  });
  const lines = child.stdout.trimEnd().split("\n");
  return { status: child.status, output: child.stdout, lines };
}

const passes = `test("passes", () => {});`;
const fails = `test("fails", () => { throw new Error("the reason"); });`;

suite("npm test", () => {
  test("ends with the counts and succeeds when everything passed", async () => {
    const { status, lines } = await runTree({
      "a.test.ts": passes,
      "server/b.test.ts": `suite("group", () => { ${passes} ${passes} });`,
    });
    assert.equal(status, 0);
    assert.equal(lines.at(-1), "3 passed, 0 failed");
    assert.ok(lines.includes("# tests 3"));
    assert.ok(lines.includes("# fail 0"));
  });

  test("a failed test is shown with its reason and fails the run", async () => {
    const { status, output, lines } = await runTree({ "a.test.ts": fails, "b.test.ts": passes });
    assert.equal(status, 1);
    assert.equal(lines.at(-1), "1 passed, 1 failed");
    assert.match(output, /not ok a\.test\.ts:2 fails\n\s+Error: the reason/);
  });

  test("a failure is shown with what caused it", async () => {
    const body = `throw new Error("gave up", { cause: new Error("nobody was there") });`;
    const { output } = await runTree({ "a.test.ts": `test("waits", () => { ${body} });` });
    assert.match(output, /Error: gave up\n[\s\S]*caused by Error: nobody was there/);
  });

  test("a file that cannot be loaded fails the run and shows what it printed", async () => {
    const { status, output, lines } = await runTree({ "a.test.ts": `throw new Error("at load");` });
    assert.equal(status, 1);
    assert.equal(lines.at(-1), "0 passed, 1 failed");
    assert.match(output, /Error: at load/);
  });

  test("suites run in order: beside the code, integration, interop, e2e, k8s", async () => {
    const { lines } = await runTree({
      "test/k8s/a.test.ts": passes,
      "test/e2e/a.test.ts": passes,
      "test/interop/b.test.ts": passes,
      "test/integration/c.test.ts": passes,
      "test/conformance/d.test.ts": passes,
      "z.test.ts": passes,
    });
    const order = lines.filter((line) => /^ok /.test(line)).map((line) => line.split(" ")[1]);
    assert.deepEqual(
      new Set(order.slice(0, 2)),
      new Set(["test/conformance/d.test.ts", "z.test.ts"]),
    );
    assert.deepEqual(order.slice(2), [
      "test/integration/c.test.ts",
      "test/interop/b.test.ts",
      "test/e2e/a.test.ts",
      "test/k8s/a.test.ts",
    ]);
  });

  test("only the files that were asked for run", async () => {
    const { lines } = await runTree(
      { "server/a.test.ts": passes, "agent/b.test.ts": fails },
      { args: ["server/"] },
    );
    assert.equal(lines.at(-1), "1 passed, 0 failed");
  });

  test("that nothing ran is not a success", async () => {
    const { status, lines } = await runTree({}, { args: ["nothing"] });
    assert.equal(status, 1);
    assert.equal(lines.at(-1), "0 passed, 0 failed");
  });

  const needy = `import { requires } from ${JSON.stringify(join(root, "test/support/requires.ts"))};
    if (requires("curl")) ${passes}`;

  test("what the machine lacks stands in one line with the remedy", async () => {
    const env = { ASSAY_TEST_WITHOUT: "curl" };
    const { status, lines } = await runTree({ "a.test.ts": passes, "b.test.ts": needy }, { env });
    assert.equal(status, 0);
    assert.deepEqual(lines.slice(-2), [
      "left out in 1 test file(s), this machine lacks: curl (apt-get install curl)",
      "1 passed, 0 failed",
    ]);
  });

  test("with CI=true what the machine lacks is a failure", async () => {
    const env = { ASSAY_TEST_WITHOUT: "curl", CI: "true" };
    const { status, lines } = await runTree({ "a.test.ts": passes, "b.test.ts": needy }, { env });
    assert.equal(status, 1);
    assert.equal(lines.at(-1), "1 passed, 1 failed");
  });
});
