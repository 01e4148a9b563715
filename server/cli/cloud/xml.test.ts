import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseXml, textAt } from "./xml.ts";

describe("parseXml", () => {
  it("finds texts by their path", () => {
    const root = parseXml(
      '<?xml version="1.0"?>\n<a xmlns="u"><b> x&amp;&#65;&#x42; </b><c/><d>1</d><d>2</d></a>\n',
    );
    assert.equal(root.name, "a");
    assert.equal(textAt(root, "b"), " x&AB ");
    assert.equal(textAt(root, "c"), "");
    assert.equal(textAt(root, "d"), undefined);
    assert.equal(textAt(root, "e", "f"), undefined);
    assert.equal(textAt(root), undefined);
  });

  for (const [name, source] of [
    ["nothing", ""],
    ["text alone", "x"],
    ["two roots", "<a/><b/>"],
    ["an open element", "<a><b></b>"],
    ["elements that cross", "<a><b></a></b>"],
    ["an element that was never opened", "</a>"],
    ["a document type", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ["an unknown entity", "<a>&b;</a>"],
    ["an entity of the prototype", "<a>&constructor;</a>"],
    ["a bare ampersand", "<a>a & b</a>"],
    ["half a surrogate", "<a>&#xD800;</a>"],
    ["a zero", "<a>&#0;</a>"],
    ["CDATA", "<a><![CDATA[x]]></a>"],
    ["a comment", "<a><!-- x --></a>"],
    ["a processing instruction", "<a><?x y?></a>"],
    ["an attribute without quotes", "<a b=c/>"],
    ["a namespace prefix", "<x:a/>"],
    ["depth", `${"<a>".repeat(17)}${"</a>".repeat(17)}`],
    ["length", `<a>${"x".repeat(300_000)}</a>`],
  ] as const) {
    it(`refuses ${name}`, () => assert.throws(() => parseXml(source), SyntaxError));
  }

  it("is quick with hostile repetition", () => {
    assert.throws(() => parseXml(`<a ${'b="" '.repeat(50_000)}`), SyntaxError);
    assert.throws(() => parseXml(`<a${" ".repeat(200_000)}`), SyntaxError);
  });
});
