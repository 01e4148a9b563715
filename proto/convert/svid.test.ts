import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { JWTSVIDSchema } from "../gen/spire/api/types/jwtsvid_pb.ts";
import { WITSVIDSchema } from "../gen/spire/api/types/witsvid_pb.ts";
import { X509SVIDSchema } from "../gen/spire/api/types/x509svid_pb.ts";
import { encodeJwtSvid, encodeWitSvid, encodeX509Svid } from "./svid.ts";

const id = SpiffeId.parse("spiffe://example.test/web");
const wireId = { trustDomain: "example.test", path: "/web" };

describe("encodeX509Svid", () => {
  it("writes the chain in its order and the end in whole seconds", () => {
    const svid = {
      id,
      certificateChainDer: [Uint8Array.of(1), Uint8Array.of(2)],
      expiresAt: new Date(60_999),
      hint: "internal",
    };
    const certChain = [Uint8Array.of(1), Uint8Array.of(2)];
    const expected = { certChain, id: wireId, expiresAt: 60n, hint: "internal" };
    assert.deepEqual(encodeX509Svid(svid), create(X509SVIDSchema, expected));
  });
});

describe("token SVIDs", () => {
  const token = "a.b.c";
  const svid = {
    id,
    token,
    expiresAt: new Date(60_000),
    issuedAt: new Date(1_000),
    hint: "internal",
  };
  const expected = { token, id: wireId, expiresAt: 60n, issuedAt: 1n, hint: "internal" };

  it("are written with their times in seconds", () => {
    assert.deepEqual(encodeJwtSvid(svid), create(JWTSVIDSchema, expected));
    assert.deepEqual(encodeWitSvid(svid), create(WITSVIDSchema, expected));
  });
});
