// The chart keeps to itself: values, schema, dashboard and versions say the same. Needs no helm.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { parse } from "yaml";
import { valueRows } from "../deploy/docs/chart-values-page.ts";
import { chart } from "../deploy/helm/manifests.ts";
import { findMetrics } from "./support/operator-words.ts";
import { readSources, root } from "./support/sources.ts";

const read = (name: string): Promise<string> => readFile(join(chart, name), "utf8");
const schema = JSON.parse(await read("values.schema.json"));
const values = parse(await read("values.yaml"));

suite("chart", () => {
  test("every value has its place in the schema, and a description", () => {
    const rows = valueRows(schema);
    const known = rows.map(({ path }) => path);
    const unknown = leavesOf(values).filter(
      (leaf) => !known.some((path) => leaf === path || leaf.startsWith(`${path}.`)),
    );
    assert.deepEqual(unknown, []);
    assert.deepEqual(
      rows.filter(({ description }) => description === ""),
      [],
    );
  });

  test("every map of the schema refuses what it does not know, or says what its members are", () => {
    const open = [...mapsOf(schema)].filter(
      ([, map]) => map.additionalProperties === undefined && map.description !== undefined,
    );
    assert.deepEqual(
      open.map(([path]) => path).filter((path) => !isFree(path)),
      [],
    );
  });

  test("chart, image and package have one version", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    const metadata = parse(await read("Chart.yaml"));
    assert.deepEqual([metadata.version, metadata.appVersion], [version, version]);
  });

  test("the dashboard shows metrics that there are", async () => {
    const dashboard = JSON.parse(await read("files/dashboard.json"));
    const metrics = findMetrics(await readSources());
    const expressions: string[] = dashboard.panels.flatMap((panel: { targets?: [] }) =>
      (panel.targets ?? []).map(({ expr }: { expr: string }) => expr),
    );
    const shown = expressions.flatMap((text) => text.match(/\bassay_\w+/g) ?? []);
    const isKnown = (name: string): boolean => {
      const base = name.replace(/_bucket$/, "");
      return metrics.has(base) || metrics.has(base.replace(/^assay_(?:server|agent)/, "*"));
    };
    assert.ok(shown.length > 15);
    assert.deepEqual(
      shown.filter((name) => !isKnown(name)),
      [],
    );
  });
});

/** Paths of everything that is set; an empty map or a list is one thing. */
function leavesOf(value: unknown, path = ""): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  const entries = Object.entries(value);
  if (entries.length === 0) return [path];
  return entries.flatMap(([name, part]) => leavesOf(part, path === "" ? name : `${path}.${name}`));
}

interface SchemaMap {
  readonly type: unknown;
  readonly description?: string;
  readonly additionalProperties?: unknown;
}

function* mapsOf(value: unknown, path = ""): Generator<readonly [string, SchemaMap]> {
  if (typeof value !== "object" || value === null) return;
  if ("type" in value && value.type === "object") yield [path, value];
  for (const [name, part] of Object.entries(value)) yield* mapsOf(part, `${path}/${name}`);
}

/** What other schemas than ours describe: the product's settings, and parts of the Kubernetes API. */
function isFree(path: string): boolean {
  return /\/(?:config|affinity|global)$|\/items$/.test(path);
}
