// Who gets through the server's TCP port, over real TLS.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { freePort } from "../../deploy/local/free-port.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { Machine } from "../support/machine.ts";
import { authorityOf, type Identity, NetworkClient } from "../support/server-network.ts";
import {
  type Issued,
  type Shape,
  selfSignedLeaf,
  TestAuthority,
  uriSan,
} from "../support/test-ca.ts";

const agentId = "spiffe://example.test/spire/agent/join_token/somebody";
const hour = 3_600_000;

describe("the server's TCP port", () => {
  let machine: Machine;
  let authority: TestAuthority;
  before(async () => {
    machine = await Machine.open();
    await machine.local.startServer();
    authority = await authorityOf(machine);
  });
  after(() => machine[Symbol.asyncDispose]());

  function lifetime(fromHours: number, toHours: number): Shape {
    const now = Date.now();
    return {
      notBefore: new Date(now + fromHours * hour),
      notAfter: new Date(now + toHours * hour),
    };
  }

  /** Negotiates TLS and waits for the first byte of HTTP/2: the server speaks first, once it has taken the client in. */
  async function handshake(
    options: ConnectionOptions,
  ): Promise<{ readonly protocol: string | null; readonly socket: TLSSocket }> {
    const { port } = machine.local;
    return await new Promise((resolve, reject) => {
      const socket = connect({
        host: "127.0.0.1",
        port,
        ALPNProtocols: ["h2"],
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...options,
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("closed")));
      socket.once("data", () => resolve({ protocol: socket.getProtocol(), socket }));
    });
  }

  async function isLetIn(options: ConnectionOptions): Promise<boolean> {
    try {
      const { socket } = await handshake(options);
      socket.removeAllListeners("close");
      socket.destroy();
      return true;
    } catch {
      return false;
    }
  }

  const presenting = ({ der, privateKey }: Issued, ...more: Uint8Array[]): ConnectionOptions => ({
    cert: [der, ...more].map((each) => formatPem("CERTIFICATE", each)).join(""),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  });

  it("takes in whoever has no certificate, and tells them the bundle", async () => {
    using nobody = await NetworkClient.open(machine);
    const bundle = await nobody.client(Bundle).getBundle({}, machine.call);
    assert.equal(bundle.trustDomain, "example.test");
    await assert.rejects(nobody.client(Agent).listAgents({}, machine.call), {
      name: "StatusError",
      code: Status.UNAUTHENTICATED,
      message: "this method needs a client certificate",
    });
  });

  it("speaks TLS 1.2 where the configuration allows it, and nothing older", async () => {
    const listen = { address: "127.0.0.1", port: await freePort(0), tls: { minVersion: "1.2" } };
    await using other = await Machine.open({ server: { listen } });
    await other.local.startServer();
    const { port } = listen;
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const { protocol, socket } = await handshake({ port, maxVersion });
      assert.equal(protocol, maxVersion);
      socket.removeAllListeners("close").destroy();
    }
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" } as const;
    assert.equal(await isLetIn({ port, ...old, ciphers: "ALL:@SECLEVEL=0" }), false);
  });

  it("speaks TLS 1.3 and nothing older", async () => {
    assert.equal((await handshake({})).protocol, "TLSv1.3");
    assert.equal(await isLetIn({ maxVersion: "TLSv1.2" }), false);
    const old = {
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL:@SECLEVEL=0",
    } as const;
    assert.equal(await isLetIn(old), false);
  });

  it("turns away whoever speaks no HTTP/2", async () => {
    assert.equal(await isLetIn({ ALPNProtocols: ["http/1.1"] }), false);
    assert.equal(await isLetIn({ ALPNProtocols: [] }), false);
  });

  it("resumes no session", async () => {
    const first = await handshake({});
    const sessions: Buffer[] = [];
    first.socket.on("session", (session: Buffer) => sessions.push(session));
    const session = sessions[0] ?? first.socket.getSession();
    assert.ok(session);
    const again = await handshake({ session });
    assert.equal(again.socket.isSessionReused(), false);
    for (const { socket } of [first, again]) socket.removeAllListeners("close").destroy();
  });

  it("takes in a certificate of its own authority, and calls an agent unknown that is not on record", async () => {
    const leaf = authority.leaf({ subjectAltName: uriSan(agentId), ...lifetime(-1, 1) });
    assert.equal(await isLetIn(presenting(leaf)), true);
    using agent = await NetworkClient.open(machine, identityOf(leaf));
    await assert.rejects(agent.client(Agent).renewAgent({}, machine.call), {
      name: "StatusError",
      code: Status.PERMISSION_DENIED,
      message: "agent is not attested",
    });
  });

  const refused: readonly (readonly [string, () => ConnectionOptions])[] = [
    ["has expired", () => presenting(leafOf("spiffe://example.test/web", lifetime(-2, -1)))],
    [
      "has expired longer ago than an agent may renew",
      () => presenting(leafOf(agentId, lifetime(-50, -25))),
    ],
    ["is not valid yet", () => presenting(leafOf(agentId, lifetime(1, 2)))],
    [
      "names a foreign trust domain",
      () => presenting(leafOf("spiffe://other.test/spire/agent/x509pop/a", lifetime(-1, 1))),
    ],
    ["names no SPIFFE ID", () => presenting(leafOf("https://example.test/web", lifetime(-1, 1)))],
    [
      "signed itself",
      () => presenting(selfSignedLeaf({ subjectAltName: uriSan(agentId), ...lifetime(-1, 1) })),
    ],
    [
      "is of an authority that only bears our authority's name",
      () => {
        const stranger = TestAuthority.root({ subject: authority.name, ...lifetime(-1, 1) });
        const leaf = stranger.leaf({ subjectAltName: uriSan(agentId), ...lifetime(-1, 1) });
        return presenting(leaf, stranger.der);
      },
    ],
    ["is the authority's own", () => presenting(authority)],
  ];

  function leafOf(id: string, shape: Shape): Issued {
    return authority.leaf({ subjectAltName: uriSan(id), ...shape });
  }

  for (const [what, options] of refused) {
    it(`turns away a certificate that ${what}`, async () => {
      assert.equal(await isLetIn(options()), false);
    });
  }

  it("lets an agent in whose certificate ran out within the time of grace", async () => {
    assert.equal(await isLetIn(presenting(leafOf(agentId, lifetime(-1, -1 / 3600)))), true);
  });
});

function identityOf({ privateKey, der }: Issued): Identity {
  return { privateKey, chain: [der] };
}
