import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EntryMetadataSchema } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { refused } from "../../../test/support/refused.ts";
import { decodeMetadata, decodeMetadataFields, pickMetadata } from "./entry-metadata.ts";

const read = (fields: object) => decodeMetadata("m", create(EntryMetadataSchema, fields));

describe("decodeMetadata", () => {
  it("says nothing where the caller says nothing", () => {
    assert.deepEqual(decodeMetadata("m", undefined), {});
  });

  it("reads what people write and not what the server writes", () => {
    const extra = read({ owner: "a", labels: { env: "prod" }, reviewBy: 7n, createdBy: "forged" });
    assert.deepEqual(extra.side, {
      owner: "a",
      purpose: "",
      ticket: "",
      labels: { env: "prod" },
      reviewBy: 7,
    });
  });

  it("refuses an unknown scope and an empty audience", () => {
    assert.throws(
      () => read({ instanceScope: "node" }),
      refused('m.instance_scope: must be "pod", "container", "process", "shared" or empty'),
    );
    assert.throws(() => read({ allowedAudiences: ["a", ""] }), /m\.allowed_audiences\[1\]/);
    assert.throws(() => read({ owner: "x".repeat(2000) }), /m\.owner: /);
  });
});

describe("pickMetadata", () => {
  it("leaves the chosen fields", () => {
    const chosen = decodeMetadataFields("f", ["owner", "allowed_audiences"]);
    const extra = read({ owner: "a", purpose: "b", allowedAudiences: ["x"] });
    assert.deepEqual(pickMetadata(extra, chosen), {
      allowedAudiences: ["x"],
      side: { owner: "a" },
    });
  });

  it("refuses names that cannot be set", () => {
    assert.throws(() => decodeMetadataFields("f", ["created_by"]), /f\[0\]: must be one of owner/);
  });
});
