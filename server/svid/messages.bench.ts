import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  BatchNewX509SVIDRequestSchema,
  BatchNewX509SVIDResponseSchema,
  NewJWTSVIDRequestSchema,
  NewJWTSVIDResponseSchema,
} from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import type { MicroBench } from "../../test/bench/micro.ts";

const id = { trustDomain: "example.test", path: "/ns/default/sa/web" };
const expiresAt = 1_772_366_400n;
const params = {
  entryId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  csr: new Uint8Array(250).fill(7),
};
const request = toBinary(
  BatchNewX509SVIDRequestSchema,
  create(BatchNewX509SVIDRequestSchema, { params: Array.from({ length: 50 }, () => params) }),
);
const svid = { certChain: [new Uint8Array(550).fill(7)], id, expiresAt };
const token = "x".repeat(450);
const tokenRequest = toBinary(
  NewJWTSVIDRequestSchema,
  create(NewJWTSVIDRequestSchema, { entryId: params.entryId, audience: ["db"] }),
);

function encodeSvids(count: number): Uint8Array {
  const results = Array.from({ length: count }, () => ({ status: { code: 0 }, svid }));
  return toBinary(
    BatchNewX509SVIDResponseSchema,
    create(BatchNewX509SVIDResponseSchema, { results }),
  );
}

export const benches: readonly MicroBench[] = [
  { name: "read a request for 50", call: () => fromBinary(BatchNewX509SVIDRequestSchema, request) },
  { name: "make and write an answer of 50", call: () => encodeSvids(50) },
  { name: "make and write an answer of 1", call: () => encodeSvids(1) },
  {
    name: "read a request for a JWT-SVID",
    call: () => fromBinary(NewJWTSVIDRequestSchema, tokenRequest),
  },
  {
    name: "make and write a JWT-SVID",
    call: () =>
      toBinary(
        NewJWTSVIDResponseSchema,
        create(NewJWTSVIDResponseSchema, { svid: { token, id, expiresAt, issuedAt: expiresAt } }),
      ),
  },
];
