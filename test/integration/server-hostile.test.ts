// What the server makes of bad input and bad manners on the network: a clear answer to whoever misbehaves, nothing for others.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, it } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import { CALL, csrOf, newKey, RunningServer, TRUST_DOMAIN } from "../support/running-server.ts";

const id = (path: string, trustDomain = TRUST_DOMAIN) => ({ trustDomain, path });
const selector = { type: "unix", value: "uid:1000" };
const parentId = id("/spire/agent/x509pop/node");

/** The request with another name for the curve of its key. */
function csrWithCurve(csr: Uint8Array): Uint8Array {
  const named = Buffer.from(csr);
  const p256 = Buffer.from("06082a8648ce3d030107", "hex");
  const at = named.indexOf(p256);
  assert.ok(at > 0);
  // An OID of the same length that names no curve that we know.
  Buffer.from("06082a8648ce3d030101", "hex").copy(named, at);
  return named;
}

/** A TLS handshake with whatever options; resolves with the socket, or with why there is none. */
async function handshake(
  server: RunningServer,
  options: ConnectionOptions = {},
): Promise<TLSSocket | Error> {
  const socket = connectTls({
    host: "127.0.0.1",
    port: server.server.port,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    ...options,
  });
  try {
    await once(socket, "secureConnect");
    return socket;
  } catch (err) {
    socket.destroy();
    return err instanceof Error ? err : new Error(String(err));
  }
}

/** Whether the server keeps a connection, as far as one can tell from not being thrown out at once. */
async function isKept(socket: Socket): Promise<boolean> {
  socket.on("error", () => {});
  // The first thing on an HTTP/2 connection is the server's settings.
  const first = await Promise.race([
    once(socket, "data").then(() => true),
    once(socket, "close").then(() => false),
  ]);
  socket.destroy();
  return first;
}

describe("the server's listener", () => {
  it("shows the server's SVID to whoever connects", async () => {
    await using server = await RunningServer.open();
    const socket = await handshake(server);
    assert.ok(!(socket instanceof Error));
    const leaf = Certificate.parse(socket.getPeerCertificate().raw);
    assert.equal(leaf.spiffeId.toString(), `spiffe://${TRUST_DOMAIN}/spire/server`);
    assert.equal(socket.getProtocol(), "TLSv1.3");
    assert.equal(await isKept(socket), true);
  });

  it("waits for no handshake for ever, and counts who makes none", async () => {
    await using server = await RunningServer.open({
      limits: { handshakeTimeout: "300ms", maxConnectionsPerAddress: 3 },
    });
    const silent = Array.from({ length: 3 }, () =>
      connectTcp(server.server.port, "127.0.0.1").on("error", () => {}),
    );
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    const closed = Promise.all(silent.map((socket) => once(socket, "close")));
    const onTop = await handshake(server);
    assert.ok(onTop instanceof Error);
    await closed;
    const later = await handshake(server);
    assert.ok(!(later instanceof Error));
    later.destroy();
  });
});

describe("bad requests", () => {
  it("for SVIDs are refused one by one, with what is wrong", async () => {
    await using server = await RunningServer.open();
    const { id: agentId, identity } = await server.joinAgent();
    const [entryId = ""] = await server.createEntries(agentId, "/web");
    using agent = server.connect(identity);
    const good = csrOf(newKey());
    const badSignature = Uint8Array.from(good);
    badSignature[good.length - 1] = (good.at(-1) ?? 0) ^ 0x01;
    const csrs: Readonly<Record<string, Uint8Array>> = {
      good,
      "no signature": good.subarray(0, good.length - 20),
      "bad signature": badSignature,
      "another curve": csrWithCurve(good),
      "weak key": createCsr({
        privateKey: generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey,
      }),
      "trailing bytes": Buffer.concat([good, Buffer.from([0])]),
      "1 MiB": new Uint8Array(1024 * 1024),
      nothing: new Uint8Array(),
    };
    const params = Object.values(csrs).map((csr) => ({ entryId, csr }));
    const { results } = await agent.client(SVID).batchNewX509SVID({ params }, CALL);
    const codes = results.map(({ status, svid }) => [status?.code, svid?.certChain.length ?? 0]);
    assert.deepEqual(codes[0], [Status.OK, 1]);
    for (const [index, name] of Object.keys(csrs).entries()) {
      if (index === 0) continue;
      assert.deepEqual(codes[index], [Status.INVALID_ARGUMENT, 0], name);
      assert.match(results[index]?.status?.message ?? "", /^csr: /, name);
    }
  });

  it("with more SVIDs than one call takes are refused", async () => {
    await using server = await RunningServer.open();
    const { identity } = await server.joinAgent();
    using agent = server.connect(identity);
    const params = Array.from({ length: 501 }, () => ({ entryId: "x", csr: new Uint8Array(1) }));
    await assert.rejects(agent.client(SVID).batchNewX509SVID({ params }, CALL), {
      code: Status.INVALID_ARGUMENT,
      message: "params: has 501 items, at most 500 are allowed",
    });
  });

  it("for entries are refused one by one, naming the field", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const good = { spiffeId: id("/web"), parentId, selectors: [selector] };
    const many = Array.from({ length: 10_000 }, (_, i) => ({ type: "unix", value: `uid:${i}` }));
    const cases: readonly (readonly [object, string])[] = [
      [good, "OK"],
      [
        { ...good, spiffeId: id("/web", "other.test") },
        'entries[1].spiffe_id.trust_domain: must be "example.test"',
      ],
      [
        { ...good, parentId: id("/x", "other.test") },
        'entries[2].parent_id.trust_domain: must be "example.test"',
      ],
      [{ ...good, spiffeId: id("") }, "entries[3].spiffe_id.path: must not be empty"],
      [
        { ...good, selectors: many },
        "entries[4].selectors: has 10000 items, at most 256 are allowed",
      ],
      [{ ...good, selectors: [] }, "entries[5].selectors: must not be empty"],
      [{ ...good, x509SvidTtl: -1 }, "entries[6].x509_svid_ttl: must not be negative"],
      [
        { ...good, id: "../x" },
        "entries[7].id: may hold only letters, digits, dots, dashes and underscores",
      ],
    ];
    const entries = cases.map(([entry]) => entry);
    const { results } = await admin.client(Entry).batchCreateEntry({ entries }, CALL);
    assert.deepEqual(
      results.map(({ status }) => status?.message),
      cases.map(([, message]) => message),
    );
    for (const path of ["/web/", "web", "/../x", "/a//b", "/ä"]) {
      const bad = { entries: [{ ...good, spiffeId: id(path) }] };
      const answer = await admin.client(Entry).batchCreateEntry(bad, CALL);
      assert.equal(answer.results[0]?.status?.code, Status.INVALID_ARGUMENT, path);
    }
  });

  it("for IDs that nobody may be given are refused", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const entry = { spiffeId: id("/spire/agent/x"), parentId, selectors: [selector] };
    const { results } = await admin.client(Entry).batchCreateEntry({ entries: [entry] }, CALL);
    assert.deepEqual(
      [results[0]?.status?.code, results[0]?.status?.message],
      [Status.INVALID_ARGUMENT, "an entry's own SPIFFE ID must not be under /spire"],
    );
    for (const path of ["/spire/server", "/spire/agent/x509pop/node"]) {
      await assert.rejects(server.mint(path), {
        message: "IDs under /spire are reserved for servers and agents",
      });
    }
    await assert.rejects(
      admin.client(Agent).createJoinToken({ ttl: 60, agentId: id("/spire/server") }, CALL),
      { code: Status.INVALID_ARGUMENT, message: "agent_id.path: must not be below /spire" },
    );
    for (const ttl of [0, -1, 365 * 86_400]) {
      await assert.rejects(admin.client(Agent).createJoinToken({ ttl }, CALL), {
        code: Status.INVALID_ARGUMENT,
        message: "ttl: expected 1 to 2592000 seconds",
      });
    }
  });

  it("with lifetimes that are never met are refused, and the longest is named", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const entry = {
      spiffeId: id("/web"),
      parentId,
      selectors: [selector],
      x509SvidTtl: 30 * 86_400,
    };
    const { results } = await admin.client(Entry).batchCreateEntry({ entries: [entry] }, CALL);
    assert.equal(results[0]?.status?.code, Status.INVALID_ARGUMENT);
    assert.match(results[0]?.status?.message ?? "", /x509_svid_ttl: .*\d+/);
  });
});
