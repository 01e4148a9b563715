import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { notFound, permissionDenied, Status } from "../../runtime/errors/status-error.ts";
import { retryDelayMs } from "../../runtime/rpc/status-details.ts";
import { PermissionDeniedDetails_Reason } from "../gen/spire/api/types/status_pb.ts";
import { agentDenialReason, agentDenied, encodeStatus, okStatus, rateLimited } from "./status.ts";

describe("the status of a batch item", () => {
  it("is zero for success", () => {
    const { code, message } = okStatus();
    assert.deepEqual({ code, message }, { code: Status.OK, message: "OK" });
  });

  it("carries code and message of a refusal", () => {
    const { code, message } = encodeStatus(notFound("entry not found"));
    assert.deepEqual({ code, message }, { code: Status.NOT_FOUND, message: "entry not found" });
  });

  it("tells nothing about other errors", () => {
    const { code, message } = encodeStatus(new Error("SQL: SELECT secret"));
    assert.deepEqual({ code, message }, { code: Status.INTERNAL, message: "internal error" });
  });
});

describe("agentDenied", () => {
  it("tells the agent why in a detail", () => {
    const err = agentDenied(PermissionDeniedDetails_Reason.AGENT_BANNED, "agent is banned");
    assert.equal(err.code, Status.PERMISSION_DENIED);
    assert.equal(
      err.details[0]?.typeUrl,
      "type.googleapis.com/spire.api.types.PermissionDeniedDetails",
    );
    // Field 1, varint 4.
    assert.deepEqual([...(err.details[0]?.value ?? [])], [0x08, 4]);
    assert.equal(agentDenialReason(err), PermissionDeniedDetails_Reason.AGENT_BANNED);
  });

  it("gives no reason for other refusals and for details that cannot be read", () => {
    assert.equal(agentDenialReason(permissionDenied("no")), undefined);
    const typeUrl = "type.googleapis.com/spire.api.types.PermissionDeniedDetails";
    const broken = permissionDenied("no", { details: [{ typeUrl, value: Uint8Array.of(0x08) }] });
    assert.equal(agentDenialReason(broken), undefined);
  });
});

describe("rateLimited", () => {
  it("says when to try again", () => {
    const err = rateLimited("attest", 2, 1_500);
    assert.equal(err.code, Status.RESOURCE_EXHAUSTED);
    assert.equal(err.reason, "rate_limited");
    assert.equal(retryDelayMs(err), 1_500);
  });
});
