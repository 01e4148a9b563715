import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseHcl } from "./hcl.ts";
import { HclError } from "./hcl-tokens.ts";

describe("parseHcl", () => {
  it("reads attributes, lists, objects, blocks and comments", () => {
    const text = `
# one
// two
/* three
   lines */
agent_address = "/tmp/agent.sock" # behind
cert_file_mode = 0444
port = 8081
neg = -1
hex = 0x10
daemon_mode = false
jwt_svids = [{jwt_audience="a", jwt_extra_audiences=["b", "c",], jwt_svid_file_name="t"},
  { jwt_audience = "d"
    jwt_svid_file_name = "u" }]
health_checks {
  listener_enabled = true
}
"quoted" = "a \\"b\\" \\\\ \\u00e4\\n"
`;
    assert.deepEqual(parseHcl(text), {
      agent_address: "/tmp/agent.sock",
      cert_file_mode: 0o444,
      port: 8081,
      neg: -1,
      hex: 16,
      daemon_mode: false,
      jwt_svids: [
        { jwt_audience: "a", jwt_extra_audiences: ["b", "c"], jwt_svid_file_name: "t" },
        { jwt_audience: "d", jwt_svid_file_name: "u" },
      ],
      health_checks: { listener_enabled: true },
      quoted: 'a "b" \\ ä\n',
    });
  });

  const refused: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ["a name twice", "a = 1\na = 2", /^line 2: a is given twice/],
    ["text without quotes", "a = yes", /text needs quotes/],
    ["no value", "a =", /expected a value, found the end/],
    ["a string without an end", 'a = "x\nb = 1', /^line 1: unexpected string without an end/],
    ["an unknown escape", 'a = "\\q"', /unknown escape/],
    ["a heredoc", "a = <<EOF\nx\nEOF", /heredoc/],
    ["a comment without an end", "a = 1 /* b", /comment without an end/],
    ["an open list", "a = [1, 2", /found the end/],
    ["an open block", "a {\n b = 1", /found the end/],
    ["a label", 'a "b" { }', /expected "="/],
    ["a fraction", "a = 1.5", /whole number/],
    ["octal with a nine", "a = 0649", /whole number/],
    ["a number that is no number", "a = 12ab", /unexpected/],
    ["depth", `a = ${"[".repeat(20)}`, /nested more than 8 deep/],
    ["other characters", "a = 1; b = 2", /^line 1: unexpected/],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parseHcl(text), { name: "HclError", message });
    });
  }

  it("gives a value or HclError for whatever text, and leaves prototypes alone", () => {
    const word = fc.constantFrom(
      "a",
      "=",
      "{",
      "}",
      "[",
      "]",
      ",",
      '"x"',
      "0644",
      "true",
      "\n",
      "/*",
      "__proto__",
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(word).map((words) => words.join(" ")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseHcl(text);
        } catch (err) {
          assert.ok(err instanceof HclError, String(err));
        }
      }),
    );
    parseHcl('__proto__ { polluted = "x" }');
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  });
});
