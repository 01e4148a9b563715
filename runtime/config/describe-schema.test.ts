import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { describeSchema } from "./describe-schema.ts";
import { durationSchema } from "./duration.ts";
import { sizeSchema } from "./size.ts";

const schema = z
  .strictObject({
    name: z.string().min(1).describe("What to call it."),
    port: z.int().min(1).max(65535).default(8081),
    ttl: durationSchema.prefault("1h").describe("How long."),
    limit: sizeSchema.optional(),
    mode: z.enum(["a", "b"]).default("a"),
    tags: z.array(z.string()).default([]),
    users: z
      .array(z.strictObject({ uid: z.int().min(0) }))
      .optional()
      .describe("Who."),
    labels: z.record(z.string(), z.string()).prefault({}),
    store: z
      .discriminatedUnion("type", [
        z.strictObject({ type: z.literal("disk"), path: z.string() }),
        z.strictObject({ type: z.literal("memory") }),
      ])
      .prefault({ type: "memory" }),
    log: z
      .strictObject({ json: z.boolean().default(true) })
      .prefault({})
      .describe("Logging."),
  })
  .refine(() => true);

describe("describeSchema", () => {
  it("gives a row for each key with type, default and description", () => {
    assert.deepEqual(describeSchema(schema), [
      { path: "name", type: "string", required: true, description: "What to call it." },
      { path: "port", type: "integer, 1 to 65535", required: false, defaultText: "8081" },
      {
        path: "ttl",
        type: "duration",
        required: false,
        defaultText: "1h",
        description: "How long.",
      },
      { path: "limit", type: "size", required: false },
      { path: "mode", type: '"a" or "b"', required: false, defaultText: "a" },
      { path: "tags", type: "list of string", required: false, defaultText: "[]" },
      { path: "users", type: "list of map", required: false, description: "Who." },
      { path: "users[].uid", type: "integer, at least 0", required: true },
      { path: "labels", type: "map", required: false },
      { path: "store", type: "map", required: false, defaultText: '{"type":"memory"}' },
      { path: "store.type", type: '"disk"', required: true, when: 'type: "disk"' },
      { path: "store.path", type: "string", required: true, when: 'type: "disk"' },
      { path: "store.type", type: '"memory"', required: true, when: 'type: "memory"' },
      { path: "log", type: "map", required: false, description: "Logging." },
      { path: "log.json", type: "boolean", required: false, defaultText: "true" },
    ]);
  });

  it("describes bounds on one side, numbers, and alternatives that are no maps", () => {
    const types = describeSchema(
      z.strictObject({
        ratio: z.number().max(1),
        count: z.int(),
        either: z.union([z.literal("auto"), z.int().min(1)]),
        deep: z.array(z.array(durationSchema)),
      }),
    ).map(({ type }) => type);
    assert.deepEqual(types, [
      "number, at most 1",
      "integer",
      '"auto" or integer, at least 1',
      "list of list of duration",
    ]);
  });
});
