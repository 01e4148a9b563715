// The documents say what the code does: generated pages are as the code makes them, examples decode, what a page names is there,
// and what operators meet in logs, refusals and metrics is explained.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { CONFIG_FILES } from "../deploy/docs/configuration-page.ts";
import { generatedPages } from "../deploy/docs/pages.ts";
import { parseConfig } from "../runtime/config/load.ts";
import { findLogMessages, findMetrics, findReasons } from "./support/operator-words.ts";
import { readSources, root } from "./support/sources.ts";

const exclude = ["**/node_modules", "dist", ".assay", "**/target"];
const paths = (await Array.fromAsync(glob("**/*.md", { cwd: root, exclude }))).sort();
const pages = new Map(
  await Promise.all(
    paths.map(async (path) => [path, await readFile(join(root, path), "utf8")] as const),
  ),
);
const sources = await readSources();

const troubleshooting = pages.get("docs/operations/troubleshooting.md") ?? "";
const healthAndMetrics = pages.get("docs/operations/health-and-metrics.md") ?? "";

suite("documents", () => {
  test("generated pages are what `npm run docs` writes", async () => {
    for (const [path, text] of await generatedPages()) {
      assert.equal(pages.get(path), text, `${path} is stale: run npm run docs`);
    }
  });

  for (const { place, schema, example } of CONFIG_FILES) {
    test(`the example of ${place} is valid`, async () => {
      const text = await readFile(example, "utf8");
      assert.ok(parseConfig<unknown>(schema, text, place));
    });
  }

  test("links between pages lead somewhere", () => {
    const dead = [...pages].flatMap(([path, text]) =>
      linksOf(text)
        .filter((link) => !leadsSomewhere(path, link))
        .map((link) => `${path}: ${link}`),
    );
    assert.deepEqual(dead, []);
  });

  test("pages that the code names are there", () => {
    const missing = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/\bdocs\/[\w/-]+\.md\b/g)]
        .filter(([page]) => !pages.has(page))
        .map(([page]) => `${path}: ${page}`),
    );
    assert.deepEqual(missing, []);
  });

  test("every warning and error of the log is explained", () => {
    assertSame(findLogMessages(sources), termsOf(troubleshooting, "Log messages"));
  });

  test("every reason of a refusal is explained", () => {
    assertSame(findReasons(sources), termsOf(troubleshooting, "Reason codes"));
  });

  test("every metric is explained", () => {
    const explained = [...termsOf(healthAndMetrics, "Metrics of the")].map((term) =>
      term.replace(/\{.*/, "").replace(/^assay_(?:server|agent|csi)(?=_rpc_)/, "*"),
    );
    assertSame(findMetrics(sources), new Set(explained));
  });
});

/** That the code and a page speak of the same things; words of the page that stand in the code in another way count as well. */
function assertSame(inCode: ReadonlySet<string>, onPage: ReadonlySet<string>): void {
  const isInCode = (word: string): boolean =>
    inCode.has(word) || sources.some(({ code }) => code.includes(`"${word}"`));
  assert.deepEqual(
    {
      unexplained: [...inCode].filter((word) => !onPage.has(word)),
      gone: [...onPage].filter((word) => !isInCode(word)),
    },
    { unexplained: [], gone: [] },
  );
}

/** What stands as code in the first column of the tables of a page's sections whose title begins so. */
function termsOf(page: string, title: string): ReadonlySet<string> {
  const sections = page.split(/^(?=## )/m).filter((part) => part.startsWith(`## ${title}`));
  const cells = sections.flatMap((part) => [...part.matchAll(/^\| (`.*?`) \|/gm)]);
  return new Set(
    cells.flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, term = ""]) => term)),
  );
}

function linksOf(text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) =>
    link === undefined || /^[a-z]+:/.test(link) ? [] : [link],
  );
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file = "", anchor] = link.split("#");
  const path = file === "" ? from : join(dirname(from), file);
  if (anchor === undefined) return existsSync(join(root, path));
  return anchorsOf(pages.get(path) ?? "").includes(anchor);
}

function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}
