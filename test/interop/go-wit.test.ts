// go-spiffe's experimental packages and jose with our WIT-SVIDs, server and agent as processes: what is issued, that it follows
// the authorities, and that nothing of it is there while the experiment is off. Titles name the requirements of WIT-SVID.

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  exportJWK,
  importJWK,
  jwtVerify,
  SignJWT,
} from "jose";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { WitSource } from "../../spiffe/client.ts";
import { createWorkloadProof } from "../../spiffe/svid/workload-proof.ts";
import { WorkloadApiClient } from "../../spiffe/workloadapi/client.ts";
import { ActingProgram, type ToldIdentity } from "../support/acting-program.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { Machine, trustDomain } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { endpoint } from "./workload-stories.ts";

const on = { experimental: { witSvid: true } };
const signal = AbortSignal.timeout(120_000);

async function first<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) return message;
  throw new Error("stream ended without a message");
}

/** The claims of a token, unverified. */
const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

if (requires("go", "linux")) {
  describe("WIT-SVIDs", () => {
    let stack: AsyncDisposableStack;
    let machine: Machine;
    let program: GoProgram;
    let id: string;

    before(async () => {
      stack = new AsyncDisposableStack();
      machine = stack.use(await Machine.start({ server: on, agent: on }));
      program = stack.use(await GoProgram.build("wit"));
      id = await registerUser(machine.local, machine.signal);
    });

    after(() => stack.disposeAsync());

    const go = (...args: readonly string[]): ActingProgram =>
      new ActingProgram({ file: program.file, args, env: endpoint(machine) });
    const address = (): string => endpoint(machine).SPIFFE_ENDPOINT_SOCKET;

    it("go-spiffe fetches one, verifies it, and proves with its key", async () => {
      await using wit = go("fetch");
      const [svid] = await wit.update();
      assert.equal(svid?.id, id);
    });

    it("spire-api-sdk mints one, signed by the active authority", async () => {
      await using wit = go(
        "-admin",
        machine.local.layout.adminSocket,
        "-id",
        `spiffe://${trustDomain}/batch`,
        "mint",
      );
      assert.equal(await wit.next("minted"), `spiffe://${trustDomain}/batch`);
    });

    it("WIT-02, 05, 06, 08, 10, 13, 23, 24, 26: says what it must and no more", async () => {
      using client = new WorkloadApiClient(address());
      const { svids } = await first(client.witSvids(undefined, signal));
      const [svid] = svids;
      assert.ok(svid);
      const header = decodeProtectedHeader(svid.witSvid);
      assert.deepEqual(Object.keys(header).sort(), ["alg", "kid", "typ"]);
      assert.deepEqual([header.alg, header.typ], ["ES256", "wit+jwt"]);
      const claims = claimsOf(svid.witSvid);
      assert.deepEqual(Object.keys(claims).sort(), ["cnf", "exp", "iat", "jti", "sub"]);
      assert.equal(claims["sub"], id);
      const { jwk } = claims["cnf"] as { jwk: Record<string, string> };
      assert.deepEqual(Object.keys(jwk).sort(), ["alg", "crv", "kty", "x", "y"]);
      // The key beside it is the other half, and is not in it.
      const key: Record<string, string> = JSON.parse(svid.witSvidKey);
      assert.ok(key["d"]);
      assert.deepEqual([key["x"], key["y"], key["alg"]], [jwk["x"], jwk["y"], "ES256"]);
    });

    it("WIT-31, 32, 33: jose verifies it with the bundle, and a proof with the confirmed key", async () => {
      using client = new WorkloadApiClient(address());
      const { svids } = await first(client.witSvids(undefined, signal));
      const { bundles } = await first(client.witBundles(signal));
      const jwks = JSON.parse(bundles[`spiffe://${trustDomain}`] ?? "");
      assert.deepEqual(
        jwks.keys.map(({ use }: { use: string }) => use),
        ["wit-svid"],
      );
      // jose takes keys of no use, or of use "sig" only.
      const keys = { keys: jwks.keys.map(({ use: _, ...key }: { use: string }) => key) };
      const { payload } = await jwtVerify(svids[0]?.witSvid ?? "", createLocalJWKSet(keys), {
        typ: "wit+jwt",
        subject: id,
      });
      const { jwk } = payload["cnf"] as { jwk: Record<string, string> };
      const key = await importJWK(JSON.parse(svids[0]?.witSvidKey ?? ""), "ES256");
      const proof = await new SignJWT({}).setProtectedHeader({ alg: "ES256" }).sign(key);
      await jwtVerify(proof, await importJWK(jwk, "ES256"));
    });

    it("WIT-27, 28: is an identity to our library only with a proof", async () => {
      await using source = await WitSource.open({ address: address(), signal });
      const { wit, privateKey } = source.witSvid();
      const audience = "https://orders.example.test/list";
      const proof = (expiresAt: Date): Promise<string> =>
        createWorkloadProof({ wit, privateKey, audience, expiresAt, proofId: "p1p1p1p1p1p1p1p1" });
      const soon = new Date(Date.now() + 30_000);
      const shown = { wit: wit.token, proof: await proof(soon) };
      assert.equal((await source.verify(shown, { audience })).id.toString(), id);
      // WIT-18: the same once more is fine.
      assert.equal((await source.verify(shown, { audience })).id.toString(), id);
      const other = { audience: "https://elsewhere.example.test/" };
      await assert.rejects(source.verify(shown, other), { code: "jwt_audience" });
    });

    it("WIT-37: is no JWT-SVID, and its authorities are not among theirs", async () => {
      using client = new WorkloadApiClient(address());
      const { svids } = await first(client.witSvids(undefined, signal));
      const token = svids[0]?.witSvid ?? "";
      await assert.rejects(client.validateJwtSvid(token, "any", signal), {
        code: Status.INVALID_ARGUMENT,
      });
      const { bundles } = await first(client.jwtBundles(signal));
      const jwts = JSON.parse(Buffer.from(bundles[`spiffe://${trustDomain}`] ?? []).toString());
      const { kid } = decodeProtectedHeader(token);
      assert.ok(!jwts.keys.some((key: { kid: string }) => key.kid === kid));
    });

    it("W-42, WIT-14: the server binds to no key that proofs could not be made with", async () => {
      const api = machine.local.server.client(SVID);
      const { publicKey } = await globalThis.crypto.subtle.generateKey(
        { name: "ECDSA", namedCurve: "P-256" },
        true,
        ["sign", "verify"],
      );
      const spki = createPublicKey({
        key: { ...(await exportJWK(publicKey)) },
        format: "jwk",
      }).export({ type: "spki", format: "der" });
      const wrong = [
        ["ES384 on P-256", { publicKey: spki, signingAlgorithm: "ES384" }],
        ["none", { publicKey: spki, signingAlgorithm: "none" }],
        ["HS256", { publicKey: spki, signingAlgorithm: "HS256" }],
        ["EdDSA", { publicKey: spki, signingAlgorithm: "EdDSA" }],
        ["no key", { publicKey: new Uint8Array(), signingAlgorithm: "ES256" }],
        ["what is no key", { publicKey: Buffer.from("key"), signingAlgorithm: "ES256" }],
        ["a key and more", { publicKey: Buffer.concat([spki, spki]), signingAlgorithm: "ES256" }],
      ] as const;
      for (const [name, request] of wrong) {
        await assert.rejects(
          api.mintWITSVID({ id: { trustDomain, path: "/batch" }, ...request }, machine.call),
          { code: Status.INVALID_ARGUMENT },
          name,
        );
      }
    });

    it("WIT-04: an open stream follows the authorities, each key of a token new", async () => {
      await using stream = go("watch");
      const [before] = (await stream.update()) as readonly (ToldIdentity & { key: string })[];
      const authorities = machine.local.server.client(LocalAuthority);
      const { preparedAuthority } = await authorities.prepareWITAuthority({}, machine.call);
      const { authorityId = "" } = preparedAuthority ?? {};
      await authorities.activateWITAuthority({ authorityId }, machine.call);
      const { old } = await authorities.getWITAuthorityState({}, machine.call);
      assert.equal(old?.authorityId, before?.serial);
      await authorities.taintWITAuthority({ authorityId: old?.authorityId ?? "" }, machine.call);
      const [after] = (await stream.update()) as readonly (ToldIdentity & { key: string })[];
      assert.equal(after?.serial, authorityId);
      assert.notEqual(after?.key, before?.key);
      await authorities.revokeWITAuthority({ authorityId: old?.authorityId ?? "" }, machine.call);
      const bundle = await machine.local.server.client(Bundle).getBundle({}, machine.call);
      assert.deepEqual(
        bundle.witAuthorities.map(({ keyId }) => keyId),
        [authorityId],
      );
    });
  });

  describe("WIT-SVIDs while the experiment is off", () => {
    let machine: Machine;

    before(async () => {
      machine = await Machine.start({ agent: on });
      await registerUser(machine.local, machine.signal);
    });

    after(() => machine[Symbol.asyncDispose]());

    const off = { code: Status.UNIMPLEMENTED };

    it("are not there, and the bundle holds nothing of them", async () => {
      const { server } = machine.local;
      const bundle = await server.client(Bundle).getBundle({}, machine.call);
      assert.deepEqual(bundle.witAuthorities, []);
      const id = { trustDomain, path: "/batch" };
      await assert.rejects(server.client(SVID).mintWITSVID({ id }, machine.call), off);
      await assert.rejects(
        server.client(LocalAuthority).getWITAuthorityState({}, machine.call),
        off,
      );
      using client = new WorkloadApiClient(endpoint(machine).SPIFFE_ENDPOINT_SOCKET);
      await assert.rejects(first(client.witSvids(undefined, signal)), off);
    });
  });
}
