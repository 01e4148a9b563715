import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalidArgument, resourceExhausted, StatusError } from "../errors/status-error.ts";
import { decodeStatusDetails, encodeStatus, retryDelayMs, retryInfo } from "./status-details.ts";

const detail = { typeUrl: "type.googleapis.com/x.Y", value: new Uint8Array([8, 1]) };

describe("encodeStatus", () => {
  it("encodes code, message and details as google.rpc.Status", () => {
    const bytes = encodeStatus(invalidArgument("no", { details: [detail] }));
    const typeUrl = Buffer.from(detail.typeUrl);
    const any = Buffer.concat([
      Buffer.from([0x0a, typeUrl.length]),
      typeUrl,
      Buffer.from([0x12, 2, 8, 1]),
    ]);
    const expected = Buffer.concat([
      Buffer.from([0x08, 3, 0x12, 2]),
      Buffer.from("no"),
      Buffer.from([0x1a, any.length]),
      any,
    ]);
    assert.deepEqual(Buffer.from(bytes), expected);
  });

  it("comes back with details and reason", () => {
    const err = invalidArgument("no", { reason: "no_entry", details: [detail] });
    assert.deepEqual(decodeStatusDetails(encodeStatus(err)), {
      details: [detail],
      reason: "no_entry",
    });
  });

  it("keeps a detail without content", () => {
    const empty = { typeUrl: "type.googleapis.com/x.Empty", value: new Uint8Array() };
    const err = invalidArgument("", { details: [empty] });
    assert.deepEqual(decodeStatusDetails(encodeStatus(err)), { details: [empty] });
  });
});

describe("decodeStatusDetails", () => {
  for (const [name, bytes] of [
    ["truncated", [0x1a, 0x20, 1]],
    ["a group that never ends", [0x1b]],
    ["field number zero", [0x02, 0x00]],
    ["an endless varint", [0x08, ...new Array<number>(12).fill(0xff)]],
  ] as const) {
    it(`takes ${name} for no details`, () => {
      assert.deepEqual(decodeStatusDetails(new Uint8Array(bytes)), { details: [] });
    });
  }

  it("leaves the reason of another domain in the details", () => {
    const foreign = {
      typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
      value: new Uint8Array([0x0a, 1, 0x61, 0x12, 1, 0x62]),
    };
    const err = invalidArgument("", { details: [foreign] });
    assert.deepEqual(decodeStatusDetails(encodeStatus(err)), { details: [foreign] });
  });
});

describe("retryInfo", () => {
  for (const delayMs of [0, 1, 999, 1000, 61_001]) {
    it(`carries ${delayMs} ms`, () => {
      const err = resourceExhausted("slow down", { details: [retryInfo(delayMs)] });
      assert.equal(retryDelayMs(err), delayMs);
    });
  }

  it("is absent unless given", () => {
    assert.equal(retryDelayMs(new StatusError(8, "slow down")), undefined);
  });
});
