import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labelSelectorSchema } from "./label-selector.ts";

const cases: readonly {
  readonly name: string;
  readonly selector: object;
  readonly selects?: Readonly<Record<string, string>>;
  readonly leaves?: Readonly<Record<string, string>>;
}[] = [
  { name: "nothing asked", selector: {}, selects: {} },
  { name: "a label", selector: { matchLabels: { app: "web" } }, selects: { app: "web", x: "y" } },
  { name: "another value", selector: { matchLabels: { app: "web" } }, leaves: { app: "api" } },
  {
    name: "one of two labels",
    selector: { matchLabels: { app: "web", tier: "front" } },
    leaves: { app: "web" },
  },
  { name: "In", selector: expression("In", ["a", "b"]), selects: { key: "b" } },
  { name: "In without the label", selector: expression("In", ["a"]), leaves: {} },
  { name: "NotIn", selector: expression("NotIn", ["a"]), leaves: { key: "a" } },
  { name: "NotIn without the label", selector: expression("NotIn", ["a"]), selects: {} },
  { name: "Exists", selector: expression("Exists"), selects: { key: "" } },
  { name: "Exists without the label", selector: expression("Exists"), leaves: { other: "a" } },
  { name: "DoesNotExist", selector: expression("DoesNotExist"), selects: { other: "a" } },
  { name: "DoesNotExist with it", selector: expression("DoesNotExist"), leaves: { key: "a" } },
  {
    name: "a label that every object of JavaScript seems to have",
    selector: { matchExpressions: [{ key: "constructor", operator: "Exists" }] },
    leaves: {},
  },
];

function expression(operator: string, values?: readonly string[]) {
  return { matchExpressions: [{ key: "key", operator, ...(values && { values }) }] };
}

describe("LabelSelector", () => {
  for (const { name, selector, selects, leaves } of cases) {
    it(`${selects === undefined ? "leaves" : "selects"}: ${name}`, () => {
      const read = labelSelectorSchema.parse(selector);
      assert.equal(read.matches(selects ?? leaves ?? {}), selects !== undefined);
    });
  }

  for (const [name, selector] of [
    ["an unknown operator", expression("Like", ["a"])],
    ["In without values", expression("In", [])],
    ["Exists with values", expression("Exists", ["a"])],
    ["a key that is none", { matchLabels: { "a b": "c" } }],
    ["a value that is too long", { matchLabels: { a: "x".repeat(64) } }],
    ["an unknown field", { matchLabel: { a: "b" } }],
  ] as const) {
    it(`refuses ${name}`, () =>
      assert.equal(labelSelectorSchema.safeParse(selector).success, false));
  }
});
