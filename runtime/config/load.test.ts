import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { durationSchema } from "./duration.ts";
import { ConfigError, loadConfig, parseConfig } from "./load.ts";

const schema = z.strictObject({
  name: z.string(),
  port: z.int().min(1).max(65535).default(8081),
  mode: z.enum(["a", "b"]).default("a"),
  ttl: durationSchema.prefault("1h"),
  list: z.array(z.strictObject({ id: z.string().min(1) })).default([]),
});

const problemsOf = (text: string) => {
  try {
    parseConfig(schema, text, "x.yaml");
  } catch (err) {
    assert.ok(err instanceof ConfigError);
    return err.message.replace("x.yaml: ", "").split("\n");
  }
  return [];
};

describe("parseConfig", () => {
  it("decodes and fills in defaults", () => {
    assert.deepEqual(parseConfig(schema, "name: web\nttl: 90s", "x.yaml"), {
      name: "web",
      port: 8081,
      mode: "a",
      ttl: 90_000,
      list: [],
    });
  });

  it("reports all problems at once, with path, value and expectation", () => {
    const text = "port: 0\nmode: c\nttl: 5\nlist: [{id: ''}, {id: x, extra: 1}]\nother: 1";
    assert.deepEqual(problemsOf(text).sort(), [
      'list[0].id: expected at least 1 characters, got ""',
      "list[1].extra: unknown key",
      'mode: expected "a" or "b", got "c"',
      "name: is required",
      "other: unknown key",
      "port: expected at least 1, got 0",
      'ttl: expected a duration such as "90s", "1h30m" or "7d", got 5',
    ]);
  });

  it("refuses a key that occurs twice, and text that is not YAML", () => {
    assert.match(problemsOf("name: a\nname: b")[0] ?? "", /^Map keys must be unique/);
    assert.equal(problemsOf("name: [a").length > 0, true);
  });

  it("says which key was probably meant", () => {
    const text = "name: web\nPort: 1\nlist: [{id: x, ids: 1}]\nentirely: 1";
    assert.deepEqual(problemsOf(text).sort(), [
      'Port: unknown key, did you mean "port"?',
      "entirely: unknown key",
      'list[0].ids: unknown key, did you mean "id"?',
    ]);
  });

  it("refuses what unfolds without end, nests without end, or shadows the prototype", () => {
    const bomb = `a: &a [x,x]\n${Array.from({ length: 20 }, (_, i) => `a${i}: &a${i} [${Array(9).fill(i === 0 ? "*a" : `*a${i - 1}`)}]`).join("\n")}`;
    assert.deepEqual(problemsOf(bomb), ["unfolds to too much"]);
    assert.equal(problemsOf(`name: ${"[".repeat(100_000)}`).length > 0, true);
    assert.deepEqual(problemsOf("name: web\n__proto__: {port: 1}"), ["__proto__: unknown key"]);
  });

  it("says what is required of an empty file", () => {
    assert.deepEqual(problemsOf(""), ["name: is required"]);
  });

  it("shortens long values", () => {
    const [problem = ""] = problemsOf(`name: web\nmode: ${"x".repeat(1000)}`);
    assert.equal(problem.length < 120, true);
  });
});

describe("loadConfig", () => {
  it("names the file that cannot be read, and why", async () => {
    await assert.rejects(loadConfig(schema, "/nonexistent/x.yaml"), {
      name: "ConfigError",
      message: "/nonexistent/x.yaml: cannot be read (ENOENT)",
    });
  });
});
