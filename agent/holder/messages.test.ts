import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type AgentMessage,
  formatMessage,
  HolderProtocolError,
  parseAgentMessage,
  parseHolderMessage,
} from "./messages.ts";

describe("messages between agent and holder", () => {
  const said: readonly AgentMessage[] = [
    { type: "hello", version: 1, sinceMs: 12_345, pods: true },
    { type: "serving" },
    { type: "pod", version: 1, name: "a" },
  ];
  for (const message of said) {
    it(`of an agent: ${message.type}`, () => {
      assert.deepEqual(parseAgentMessage(formatMessage(message)), message);
    });
  }

  it("of a holder", () => {
    for (const message of [
      { type: "socket", kept: true },
      { type: "socket", kept: false },
      { type: "release" },
      { type: "accept" },
      { type: "pod", name: "a" },
      { type: "pod_gone", name: "a" },
      { type: "pods_told" },
    ] as const) {
      assert.deepEqual(parseHolderMessage(formatMessage(message)), message);
    }
  });

  it("may say more than is known today", () => {
    const text = '{"type":"hello","version":1,"sinceMs":5,"later":[1]}';
    assert.deepEqual(parseAgentMessage(text), {
      type: "hello",
      version: 1,
      sinceMs: 5,
      pods: false,
    });
  });

  for (const text of [
    "",
    "null",
    "[]",
    '"hello"',
    "{",
    "{}",
    '{"type":"hello"}',
    '{"type":"hello","version":"1","sinceMs":5}',
    '{"type":"socket"}',
    '{"type":"socket","kept":1}',
    '{"type":"pod"}',
    '{"type":"pod","name":1}',
    '{"type":"goodbye"}',
  ]) {
    it(`are not ${text}`, () => {
      assert.throws(() => parseAgentMessage(text), HolderProtocolError);
      assert.throws(() => parseHolderMessage(text), HolderProtocolError);
    });
  }

  it("are refused in one way whatever they are", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const parse of [parseAgentMessage, parseHolderMessage]) {
          try {
            parse(text);
          } catch (err) {
            assert.ok(err instanceof HolderProtocolError);
          }
        }
      }),
    );
  });
});
