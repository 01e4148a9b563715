import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { refused } from "../../test/support/refused.ts";
import { JWTSVIDSchema } from "../gen/spire/api/types/jwtsvid_pb.ts";
import { type X509SVID, X509SVIDSchema } from "../gen/spire/api/types/x509svid_pb.ts";
import {
  decodeIssuedToken,
  decodeX509Svid,
  encodeJwtSvid,
  encodeWitSvid,
  encodeX509Svid,
  type IssuedToken,
  type IssuedX509Svid,
} from "./svid.ts";

const id = SpiffeId.parse("spiffe://example.test/web");

describe("X509-SVIDs", () => {
  const svid: IssuedX509Svid = {
    id,
    certificateChainDer: [Uint8Array.of(1), Uint8Array.of(2)],
    expiresAt: new Date(60_000),
    hint: "internal",
  };

  it("arrive as they were sent", () => {
    const { id: read, ...rest } = decodeX509Svid("svid", encodeX509Svid(svid));
    assert.ok(read.equals(id));
    assert.deepEqual({ id, ...rest }, svid);
  });

  it("are refused without chain, end or ID, and with a chain beyond reason", () => {
    const message = encodeX509Svid(svid);
    const cases: readonly (readonly [X509SVID | undefined, string])[] = [
      [undefined, "svid: is required"],
      [{ ...message, certChain: [] }, "svid.cert_chain: must not be empty"],
      [
        { ...message, certChain: Array.from({ length: 17 }, () => Uint8Array.of(1)) },
        "svid.cert_chain: has 17 items, at most 16 are allowed",
      ],
      [{ ...message, expiresAt: 0n }, "svid.expires_at: is required"],
      [create(X509SVIDSchema, { certChain: [Uint8Array.of(1)] }), "svid.id: is required"],
    ];
    for (const [bad, text] of cases) {
      assert.throws(() => decodeX509Svid("svid", bad), refused(text));
    }
  });
});

describe("token SVIDs", () => {
  const svid: IssuedToken = {
    id,
    token: "a.b.c",
    expiresAt: new Date(60_000),
    issuedAt: new Date(1_000),
    hint: "",
  };

  for (const encode of [encodeJwtSvid, encodeWitSvid]) {
    it(`arrive as they were sent (${encode.name})`, () => {
      const { id: read, ...rest } = decodeIssuedToken("svid", encode(svid));
      assert.ok(read.equals(id));
      assert.deepEqual({ id, ...rest }, svid);
    });
  }

  it("are refused without token, end or ID", () => {
    const message = encodeJwtSvid(svid);
    const cases = [
      [undefined, "svid: is required"],
      [{ ...message, token: "" }, "svid.token: must not be empty"],
      [{ ...message, expiresAt: 0n }, "svid.expires_at: is required"],
      [create(JWTSVIDSchema, { token: "a.b.c" }), "svid.id: is required"],
    ] as const;
    for (const [bad, text] of cases) {
      assert.throws(() => decodeIssuedToken("svid", bad), refused(text));
    }
  });
});
