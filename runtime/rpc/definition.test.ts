import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { rawMethod } from "./definition.ts";

describe("rawMethod", () => {
  it("keeps no more of the request of a stream than its bytes", () => {
    const received = Buffer.from("request");
    assert.ok(received.buffer.byteLength > received.length, "it is a piece of the pool");
    const { requestDeserialize } = rawMethod(SpiffeWorkloadAPI.method.fetchX509SVID);
    const request = requestDeserialize(received);
    assert.deepEqual(request, received);
    assert.equal(request.buffer.byteLength, received.length);
  });
});
