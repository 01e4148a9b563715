// From a JWT-SVID to a cloud's credentials, with what `assay cloud ... trust` prints on the cloud's side. The clouds are stand-ins that
// check every field and verify the token by discovery, as the real ones do.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { FakeCloud } from "../fakes/fake-cloud.ts";
import { OidcMachine, RS256_AUDIENCE, webFetch } from "../support/oidc-machine.ts";
import { requires } from "../support/requires.ts";
import { runCli } from "../support/run-cli.ts";

const ROLE = "arn:aws:iam::123456789012:role/backend";
const POOL = ["--project", "123456789", "--pool", "assay", "--provider", "example-test"];
const FAR = "2049-01-01T00:00:00.000Z";

if (requires("linux")) {
  describe("assay cloud", () => {
    let world: OidcMachine;
    let cloud: FakeCloud;

    before(async () => {
      world = await OidcMachine.start();
      const keys = createRemoteJWKSet(new URL(`${world.issuer}/keys`), { [customFetch]: webFetch });
      cloud = await FakeCloud.open(async (token) => {
        const { payload, protectedHeader } = await jwtVerify(token, keys);
        const { iss = "", sub = "", aud = [] } = payload;
        const audiences = typeof aud === "string" ? [aud] : aud;
        return { issuer: iss, subject: sub, audiences, algorithm: protectedHeader.alg };
      });
    });

    after(async () => {
      await cloud[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    });

    const run = (...args: readonly string[]) => runCli(["cloud", ...args], world.machine.signal);
    const workload = () => ["--endpoint", `unix://${world.machine.local.layout.workloadSocket}`];
    const trustFor = () => ["--issuer", world.issuer, "--spiffe-id", world.id];
    const parsed = ({ output }: { output: string }) => JSON.parse(output);
    const aws = () => {
      const region = ["--region", "eu-west-1", "--sts-url", cloud.url];
      return run("aws", "credentials", "--role-arn", ROLE, ...region, ...workload());
    };

    it("takes a role of AWS that trusts the identity, and no other", async () => {
      const refused = await aws();
      assert.deepEqual([refused.code, refused.output], [4, ""]);
      assert.match(refused.errors, /AWS STS refused: "AccessDenied"/);
      const policy = await run("aws", "trust", ...trustFor(), "--account", "123456789012");
      assert.match(policy.errors, /create-open-id-connect-provider/);
      cloud.trust = { roles: { [ROLE]: parsed(policy) } };
      assert.deepEqual(parsed(await aws()), {
        Version: 1,
        AccessKeyId: "ASIAEXAMPLE",
        SecretAccessKey: "secret",
        SessionToken: "session/&+=",
        Expiration: FAR,
      });
      const other = await run(
        "aws",
        "trust",
        "--issuer",
        world.issuer,
        "--spiffe-id",
        `${world.id}x`,
        "--account",
        "123456789012",
      );
      cloud.trust = { roles: { [ROLE]: parsed(other) } };
      assert.equal((await aws()).code, 4);
    });

    it("exchanges for a token of Google, and for one of a service account", async () => {
      const trust = await run("gcp", "trust", ...trustFor(), ...POOL);
      cloud.trust = { providers: [parsed(trust)] };
      const urls = ["--sts-url", `${cloud.url}/v1/token`, "--iam-url", cloud.url];
      const direct = parsed(await run("gcp", "credentials", ...POOL, ...urls, ...workload()));
      assert.equal(direct.access_token, `federated ${world.id}`);
      const account = ["--service-account", "backend@shop.iam.gserviceaccount.com"];
      const acting = await run("gcp", "credentials", ...POOL, ...urls, ...account, ...workload());
      assert.deepEqual(parsed(acting), {
        access_token: "account backend@shop.iam.gserviceaccount.com",
        token_type: "Bearer",
        expires_at: FAR,
      });
      cloud.trust = {};
      const refused = await run("gcp", "credentials", ...POOL, ...urls, ...workload());
      assert.equal(refused.code, 4);
      assert.match(refused.errors, /"invalid_target"/);
    });

    it("gives Google's libraries a token the way they ask for it", async () => {
      const { credential_source, audience } = parsed(await run("gcp", "config", ...POOL));
      const [command, ...args] = credential_source.executable.command.split(" ");
      assert.equal(command, "/usr/bin/assay");
      const answer = parsed(await run(...args.slice(1), ...workload()));
      assert.deepEqual([answer.version, answer.success], [1, true]);
      const keys = createRemoteJWKSet(new URL(`${world.issuer}/keys`), { [customFetch]: webFetch });
      const { payload } = await jwtVerify(answer.id_token, keys, { audience: `https:${audience}` });
      assert.equal(payload.exp, answer.expiration_time);
      const none = await run(...args.slice(1), "--endpoint", "unix:///nowhere/api.sock");
      assert.equal(parsed(none).success, false);
      assert.notEqual(none.code, 0);
    });

    it("gets a token of Entra, which wants RS256", async () => {
      const app = ["--tenant", "tenant-1", "--client-id", "app-1", "--authority-host", cloud.url];
      const ask = () => run("azure", "credentials", ...app, ...workload());
      assert.match((await ask()).errors, /Microsoft Entra refused: "invalid_client" "AADSTS700213/);
      const trust = parsed(await run("azure", "trust", ...trustFor()));
      assert.deepEqual(trust.audiences, [RS256_AUDIENCE]);
      cloud.trust = { applications: { "app-1": [trust] } };
      assert.equal(parsed(await ask()).access_token, `azure ${world.id}`);
      const other = await run("azure", "credentials", ...app, "--audience", "x", ...workload());
      assert.match(other.errors, /signed with ES256, and Entra takes RS256 only/);
    });

    it("tells an entry that is not there", async () => {
      const { local } = world.machine;
      const server = ["--socket", local.layout.adminSocket];
      const missing = await run(
        "azure",
        "trust",
        "--issuer",
        world.issuer,
        "--entry",
        "nobody",
        ...server,
      );
      assert.deepEqual([missing.code, missing.output], [3, ""]);
    });

    const hostile: readonly [name: string, instead: FakeCloud["instead"], message: RegExp][] = [
      [
        "an endless answer",
        (_, response) => void response.write("x".repeat(300_000)),
        /larger than/,
      ],
      [
        "a redirect",
        (_, response) => void response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
        /does not answer/,
      ],
      ["no XML", (_, response) => void response.end("{}"), /without usable XML/],
      [
        "a document type",
        (_, response) => void response.end('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        /without usable XML/,
      ],
      ["another answer", (_, response) => void response.end("<a/>"), /has no /],
      [
        "an error of a proxy",
        (_, response) => void response.writeHead(502).end("<html></html>"),
        /status 502 without an error of AWS/,
      ],
      [
        "bytes that are no text",
        (_, response) => void response.end(Buffer.from([0xff, 0xfe])),
        /does not answer/,
      ],
      ["an end of the connection", ({ socket }) => void socket.destroy(), /does not answer/],
    ];
    for (const [name, instead, message] of hostile) {
      it(`fails with a word about ${name}`, async () => {
        cloud.instead = instead;
        try {
          const { code, output, errors } = await aws();
          assert.deepEqual([code, output], [5, ""]);
          assert.match(errors, message);
          assert.doesNotMatch(errors, /eyJ/);
        } finally {
          cloud.instead = undefined;
        }
      });
    }
  });
}
