import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  PermissionDeniedDetailsSchema,
  PermissionDeniedDetails_Reason as Reason,
} from "../../proto/gen/spire/api/types/status_pb.ts";
import { permissionDenied, unavailable } from "../../runtime/errors/status-error.ts";
import { readVerdict } from "./verdict.ts";

const typeUrl = "type.googleapis.com/spire.api.types.PermissionDeniedDetails";
const detail = (reason: Reason) => ({
  typeUrl,
  value: toBinary(PermissionDeniedDetailsSchema, create(PermissionDeniedDetailsSchema, { reason })),
});

describe("readVerdict", () => {
  const verdicts = [
    [Reason.AGENT_EXPIRED, "expired"],
    [Reason.AGENT_NOT_ATTESTED, "not_attested"],
    [Reason.AGENT_NOT_ACTIVE, "not_active"],
    [Reason.AGENT_BANNED, "banned"],
    [Reason.AGENT_MUST_REATTEST, "must_reattest"],
    [Reason.UNKNOWN, undefined],
  ] as const;
  for (const [reason, verdict] of verdicts) {
    it(`reads reason ${reason} as ${verdict}`, () => {
      const err = permissionDenied("no", { details: [detail(reason)] });
      assert.equal(readVerdict(err), verdict);
    });
  }

  const silent: readonly { name: string; err: unknown }[] = [
    { name: "text alone", err: permissionDenied("agent is banned") },
    {
      name: "another detail",
      err: permissionDenied("x", {
        details: [{ typeUrl: "type.googleapis.com/a.B", value: new Uint8Array() }],
      }),
    },
    { name: "another status", err: unavailable("x", { details: [detail(Reason.AGENT_BANNED)] }) },
    { name: "another kind of error", err: new Error("agent is banned") },
  ];
  for (const { name, err } of silent) {
    it(`takes no verdict from ${name}`, () => assert.equal(readVerdict(err), undefined));
  }

  it("takes none from a detail that cannot be decoded", () => {
    const err = permissionDenied("x", { details: [{ typeUrl, value: new Uint8Array([0xff]) }] });
    assert.equal(readVerdict(err), undefined);
  });
});
