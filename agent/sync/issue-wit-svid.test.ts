import assert from "node:assert/strict";
import { createPublicKey, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import type { DescService } from "@bufbuild/protobuf";
import type { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import { formatPublicJwk } from "../../spiffe/jwt/jwk.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { testKey, testNow } from "../../test/support/test-ca.ts";
import { inSeconds, makeToken, signed } from "../../test/support/test-token.ts";
import type { CredentialBinding } from "../cache/credential-binding.ts";
import { KeyPool } from "../cache/key-pool.ts";
import type { ServerConnection } from "../connection/server-connection.ts";
import { witSvidIssuer } from "./issue-wit-svid.ts";

const authority = testKey();

interface Answer {
  readonly sub?: string;
  readonly exp?: number;
  readonly alg?: string;
  /** The key that the token confirms; that of the request unless given. */
  readonly key?: KeyObject;
  readonly status?: { readonly code: number; readonly message: string };
}

/** A server that answers as told. */
function serverThat(answer: Answer): Pick<ServerConnection, "call"> {
  const batchNewWITSVID: Client<typeof SVID>["batchNewWITSVID"] = async (request) => {
    if (answer.status !== undefined) return { results: [{ status: answer.status }] } as never;
    const [{ publicKey = new Uint8Array() } = {}] = request.params ?? [];
    const asked = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    const jwk = { ...formatPublicJwk(answer.key ?? asked), alg: answer.alg ?? "ES256" };
    const { sub = "spiffe://td.test/web", exp = inSeconds(600) } = answer;
    const token = makeToken(
      { alg: "ES256", kid: "k1", typ: "wit+jwt" },
      { sub, exp, iat: inSeconds(0), jti: "j1", cnf: { jwk } },
      signed("ES256", authority.privateKey),
    );
    const id = { trustDomain: "td.test", path: "/web" };
    return { results: [{ svid: { token, id, hint: "h" } }] } as never;
  };
  return {
    call: <S extends DescService, T>(_: S, use: (client: Client<S>) => Promise<T>): Promise<T> =>
      use({ batchNewWITSVID } as unknown as Client<S>),
  };
}

function issue(answer: Answer) {
  const bindings: CredentialBinding[] = [];
  const fetch = witSvidIssuer({
    connection: serverThat(answer),
    keys: new KeyPool("ec-p256", 0),
    clock: new FakeClock(testNow),
    onBinding: (binding) => bindings.push(binding),
  });
  const request = { entryId: "e1", instance: "pod:p1", audience: [] };
  const svid = fetch(request, { timeoutMs: 1_000, signal: new AbortController().signal });
  return { svid, bindings };
}

describe("witSvidIssuer", () => {
  it("gives the token with the key that was made for it, and says who holds it", async () => {
    const { svid, bindings } = issue({});
    const { token, privateJwk, hint, keyId, expiresAt } = await svid;
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const key = JSON.parse(privateJwk);
    assert.deepEqual([key.x, key.y, key.alg], [claims.cnf.jwk.x, claims.cnf.jwk.y, "ES256"]);
    assert.deepEqual([hint, keyId, expiresAt.getTime() / 1000], ["h", "k1", inSeconds(600)]);
    assert.deepEqual(
      bindings.map(({ credential, instance }) => [credential, instance]),
      [["j1", "pod:p1"]],
    );
  });

  const bad: readonly (readonly [string, Answer, RegExp])[] = [
    ["a token for another key", { key: testKey().publicKey }, /another key/],
    ["a token for another identity", { sub: "spiffe://td.test/db" }, /another SPIFFE ID/],
    ["a token that has expired", { exp: inSeconds(-1) }, /expired/],
    ["a key for another algorithm", { alg: "ES384" }, /not one for the algorithm/],
    ["a key without an algorithm", { alg: "none" }, /algorithm/],
  ];
  for (const [name, answer, message] of bad) {
    it(`gives no workload ${name}`, async () => {
      const { svid, bindings } = issue(answer);
      await assert.rejects(svid, { message });
      assert.deepEqual(bindings, []);
    });
  }

  it("passes on why the server issues nothing", async () => {
    await assert.rejects(issue({ status: { code: 12, message: "off" } }).svid, { code: 12 });
    // To a workload, an entry that the server does not grant this agent is no entry.
    await assert.rejects(issue({ status: { code: 5, message: "gone" } }).svid, { code: 7 });
  });
});
