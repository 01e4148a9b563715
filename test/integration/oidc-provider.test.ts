// The OIDC provider of a server, as proxies and strangers reach it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { webFetch, writeWebCertificate } from "../support/oidc-machine.ts";
import { CALL, RunningServer } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const HOST = "oidc.example.test";
const DISCOVERY = "/.well-known/openid-configuration";

describe("OIDC provider on a Unix socket", () => {
  let dir: TempDir;
  let server: RunningServer;

  before(async () => {
    dir = await TempDir.open();
    server = await RunningServer.open({
      ca: { jwtIssuer: `https://${HOST}` },
      oidc: { listen: { type: "socket", path: dir.join("oidc.sock") } },
    });
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  /** A request, and what it was answered with. */
  async function ask(
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) {
    const { method = "GET", headers = {}, body } = options;
    const outgoing = request({
      socketPath: dir.join("oidc.sock"),
      path,
      method,
      headers: { host: HOST, ...headers },
      agent: false,
    });
    outgoing.end(body);
    const [answer] = await once(outgoing, "response");
    return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
  }

  /** Raw bytes, and the first line of what comes back before the connection ends. */
  async function send(bytes: string): Promise<string> {
    const socket = connect(dir.join("oidc.sock"));
    socket.on("error", () => {});
    socket.write(bytes);
    return (await text(socket)).split("\r\n", 1)[0] ?? "";
  }

  it("serves both documents, with a tag and a time", async () => {
    const { status, headers, body } = await ask(DISCOVERY);
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).issuer, `https://${HOST}`);
    assert.equal(headers["cache-control"], "public, max-age=300");
    assert.equal(headers["content-type"], "application/json");
    const again = await ask(DISCOVERY, { headers: { "if-none-match": headers.etag ?? "" } });
    assert.deepEqual([again.status, again.body], [304, ""]);
    const head = await ask("/keys", { method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
    assert.equal(JSON.parse((await ask("/keys?x=1")).body).keys.length, 1);
  });

  it("serves a tainted authority until it is revoked", async () => {
    using admin = server.admin();
    const authorities = admin.client(LocalAuthority);
    const { active } = await authorities.getJWTAuthorityState({}, CALL);
    const { preparedAuthority } = await authorities.prepareJWTAuthority({}, CALL);
    const next = preparedAuthority?.authorityId ?? "";
    await authorities.activateJWTAuthority({ authorityId: next }, CALL);
    const old = { authorityId: active?.authorityId ?? "" };
    await authorities.taintJWTAuthority(old, CALL);
    const keyIds = async () => {
      const { keys } = JSON.parse((await ask("/keys")).body);
      return keys.map(({ kid }: { kid: string }) => kid).sort();
    };
    assert.deepEqual(await keyIds(), [next, old.authorityId].sort());
    await authorities.revokeJWTAuthority(old, CALL);
    assert.deepEqual(await keyIds(), [next]);
  });

  it("finds nothing elsewhere, nor for other hosts", async () => {
    for (const path of ["/", "/keys/", "/.well-known/", "/../keys", "//keys", `/a${DISCOVERY}`]) {
      assert.equal((await ask(path)).status, 404, path);
    }
    const { status, headers } = await ask("/keys", { headers: { host: "evil.test" } });
    assert.deepEqual([status, headers["cache-control"]], [404, "no-store"]);
  });

  it("takes no other methods and no bodies", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      assert.equal((await ask("/keys", { method })).status, 405, method);
    }
    assert.equal(
      (await ask("/keys", { headers: { "content-length": "3" }, body: "abc" })).status,
      400,
    );
  });

  it("answers what is no request with an error, and goes on", async () => {
    const big = `GET /keys HTTP/1.1\r\nhost: ${HOST}\r\nx: ${"a".repeat(10_000)}\r\n\r\n`;
    assert.equal(await send(big), "HTTP/1.1 431 Request Header Fields Too Large");
    assert.equal(await send("\0\0\0\0\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    assert.equal(await send("GET /keys HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    const smuggled = `GET /keys HTTP/1.1\r\nhost: ${HOST}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`;
    assert.equal(await send(smuggled), "HTTP/1.1 400 Bad Request");
    assert.equal((await ask("/keys")).status, 200);
  });
});

describe("OIDC provider on the network", () => {
  it("shows the certificate of its files", async () => {
    await using dir = await TempDir.open();
    const files = await writeWebCertificate(dir);
    await using server = await RunningServer.open({
      ca: { jwtIssuer: `https://${HOST}`, jwtKeyTypes: ["rsa-2048", "ec-p384"] },
      oidc: {
        listen: { type: "https", address: "127.0.0.1", port: 0, ...files },
        hosts: ["localhost:1"],
      },
    });
    const url = `https://localhost:${server.server.oidcPort}/keys`;
    const strange = await webFetch(url);
    assert.equal(strange.status, 404);
    const answer = await webFetch(url, { headers: { host: "localhost:1" } });
    const { keys } = (await answer.json()) as { keys: { alg: string }[] };
    assert.deepEqual(
      keys.map(({ alg }) => alg),
      ["RS256"],
    );
  });

  it("does not start without a usable certificate", async () => {
    await using dir = await TempDir.open();
    const { certFile } = await writeWebCertificate(dir);
    const listen = { type: "https", address: "127.0.0.1", port: 0, certFile, keyFile: certFile };
    const settings = { ca: { jwtIssuer: `https://${HOST}` }, oidc: { listen } };
    await assert.rejects(RunningServer.open(settings, dir), /no certificate and its key/);
  });
});
