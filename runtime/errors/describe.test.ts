import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeError } from "./describe.ts";

describe("describeError", () => {
  it("joins the messages of a cause chain, outermost first", () => {
    const err = new Error("storing node", { cause: new Error("writing", { cause: "disk full" }) });
    assert.equal(describeError(err), "storing node: writing: disk full");
  });

  it("names an error without a message by its kind", () => {
    assert.equal(describeError(new TypeError()), "TypeError");
  });

  it("lists the members of an aggregate", () => {
    const err = new AggregateError([new Error("a"), new Error("b")], "two failed");
    assert.equal(describeError(err), "two failed: [a; b]");
  });

  it("stops at a loop", () => {
    const err = new Error("outer");
    err.cause = new Error("inner", { cause: err });
    assert.equal(describeError(err), "outer: inner: ...");
  });

  it("stops at a chain that is too deep or too long", () => {
    let err = new Error("0");
    for (let i = 1; i < 100; i++) err = new Error(String(i), { cause: err });
    assert.equal(describeError(err), "99: 98: 97: 96: 95: 94: 93: 92: ...");
    assert.equal(describeError(new Error("x".repeat(10_000))).length, 2048 + 3);
  });

  it("never prints the properties of what was thrown", () => {
    assert.equal(describeError({ token: "secret" }), "a value that is not an error");
    assert.equal(describeError(Object.assign(new Error("failed"), { token: "secret" })), "failed");
    assert.equal(describeError(undefined), "undefined");
    assert.equal(describeError(null), "null");
  });
});
