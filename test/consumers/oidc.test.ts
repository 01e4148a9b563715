// Verifiers that know nothing of SPIFFE, with our OIDC provider: they find the keys by the issuer's name alone.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import * as openid from "openid-client";
import { stringify } from "yaml";
import { unbuiltCommand } from "../../deploy/local/assay-command.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { eventually } from "../support/eventually.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { testChecks } from "../support/interop.ts";
import {
  OidcMachine,
  RS256_AUDIENCE,
  webFetch,
  writeWebCertificate,
} from "../support/oidc-machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

const audiences = [
  { audience: "sts.amazonaws.com", algorithm: "ES256" },
  { audience: RS256_AUDIENCE, algorithm: "RS256" },
] as const;

if (requires("linux")) {
  describe("OIDC discovery", () => {
    let world: OidcMachine;

    before(async () => {
      world = await OidcMachine.start();
    });

    after(() => world[Symbol.asyncDispose]());

    for (const { audience, algorithm } of audiences) {
      it(`lets jose verify ${algorithm} tokens with a remote JWK set`, async () => {
        const { token } = await world.token(audience);
        const keys = createRemoteJWKSet(new URL(`${world.issuer}/keys`), {
          [customFetch]: webFetch,
        });
        const checks = { issuer: world.issuer, audience, algorithms: [algorithm] };
        const { payload } = await jwtVerify(token, keys, checks);
        assert.equal(payload.sub, world.id);
        await assert.rejects(jwtVerify(token, keys, { ...checks, audience: "other" }), {
          code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
        });
      });
    }

    it("lets openid-client discover the provider", async () => {
      const found = await openid.discovery(
        new URL(world.issuer),
        "client",
        undefined,
        openid.None(),
        { [openid.customFetch]: webFetch },
      );
      const { issuer, jwks_uri, id_token_signing_alg_values_supported } = found.serverMetadata();
      assert.equal(issuer, world.issuer);
      assert.equal(jwks_uri, `${world.issuer}/keys`);
      assert.deepEqual(id_token_signing_alg_values_supported, ["ES256", "RS256"]);
    });

    it("lets a new authority be found before it signs", async () => {
      const { local, signal } = world.machine;
      const kids = async (): Promise<readonly string[]> => {
        const { keys } = (await (await webFetch(`${world.issuer}/keys`)).json()) as {
          keys: { kid: string }[];
        };
        return keys.map(({ kid }) => kid);
      };
      const before = await kids();
      const client = local.server.client(LocalAuthority);
      const call = { signal, timeoutMs: 60_000 };
      const { preparedAuthority } = await client.prepareJWTAuthority({}, call);
      const authorityId = preparedAuthority?.authorityId ?? "";
      assert.deepEqual((await kids()).toSorted(), [...before, authorityId].toSorted());
      await client.activateJWTAuthority({ authorityId }, call);
      const { token } = await world.token("after-the-rotation");
      const keys = createRemoteJWKSet(new URL(`${world.issuer}/keys`), { [customFetch]: webFetch });
      const { protectedHeader } = await jwtVerify(token, keys, { issuer: world.issuer });
      assert.equal(protectedHeader.kid, authorityId);
    });

    it("is served as well by a process that has the keys from the Workload API", async () => {
      await using dir = await TempDir.open();
      const files = await writeWebCertificate(dir);
      const port = await freePort(0);
      const config = {
        workloadApi: `unix://${world.machine.local.layout.workloadSocket}`,
        trustDomains: {
          "example.test": { issuer: world.issuer, hosts: [`localhost:${port}`] },
        },
        listen: { type: "https", address: "127.0.0.1", port, ...files },
        observability: { enabled: false },
      };
      await writeFile(dir.join("oidc.yaml"), stringify(config));
      const { file, args } = unbuiltCommand;
      const child = spawn(file, [...args, "oidc", "run", "-c", dir.join("oidc.yaml")], {
        stdio: "ignore",
      });
      const ended = new Promise((resolve) => child.once("close", resolve));
      try {
        const get = async (path: string): Promise<unknown> => {
          const answer = await webFetch(`https://localhost:${port}${path}`);
          assert.equal(answer.status, 200);
          return answer.json();
        };
        await eventually("the provider", () => get("/keys"), { intervalMs: 200 });
        const path = "/.well-known/openid-configuration";
        assert.deepEqual(await get(path), await (await webFetch(world.issuer + path)).json());
        const { token } = await world.token("for-the-process");
        const keys = createRemoteJWKSet(new URL(`https://localhost:${port}/keys`), {
          [customFetch]: webFetch,
        });
        await jwtVerify(token, keys, { issuer: world.issuer });
      } finally {
        child.kill("SIGTERM");
        await ended;
      }
    });

    if (requires("go")) {
      for (const { audience, algorithm } of audiences) {
        it(`lets Vault's JWT auth admit ${algorithm} tokens by the rules of a role`, async (t) => {
          await using built = await GoProgram.build("jwtauth");
          const tokenFile = world.dir.join(`token-${algorithm}`);
          await writeFile(tokenFile, (await world.token(audience)).token, { mode: 0o600 });
          const options = {
            issuer: world.issuer,
            ca: world.dir.join("ca.pem"),
            token: tokenFile,
            audience,
            subject: world.id,
            algorithm,
          };
          const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]);
          await testChecks(t, { file: built.file, args }, [
            "finds the keys by discovery",
            "admits the subject for the audience",
            "refuses another audience",
            "refuses another subject",
            "refuses another issuer",
            "refuses another algorithm",
            "refuses a changed token",
            "refuses a server of another CA",
          ]);
        });
      }
    }
  });
}
