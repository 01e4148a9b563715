// Mutual TLS between a service that uses go-spiffe and one that uses our client library, in both directions.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type Server } from "node:https";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { matchId } from "../../spiffe/id/matcher.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type MutualTls, SpiffeHttpsAgent } from "../../spiffe/tls/client.ts";
import { peerIdOf } from "../../spiffe/tls/peer-id.ts";
import { createHttpsServer } from "../../spiffe/tls/server.ts";
import { X509Source } from "../../spiffe/workloadapi/x509-source.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { streamChecks, testChecks } from "../support/interop.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { endpoint } from "./workload-stories.ts";

/** What a service answers to a GET. */
async function get(address: string, agent: SpiffeHttpsAgent): Promise<string> {
  const [host, port] = address.split(":");
  const outgoing = request({ host, port, path: "/", agent }).end();
  const [incoming] = await once(outgoing, "response");
  return text(incoming);
}

function addressOf(server: Server): string {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `127.0.0.1:${address.port}`;
}

if (requires("go", "linux")) {
  describe("mutual TLS with go-spiffe", () => {
    let machine: Machine;
    let built: GoProgram;
    let source: X509Source;
    let id: SpiffeId;

    before(async () => {
      machine = await Machine.start();
      id = SpiffeId.parse(await registerUser(machine.local, machine.signal));
      const { SPIFFE_ENDPOINT_SOCKET: address } = endpoint(machine);
      source = await X509Source.open({ address, signal: machine.signal });
      built = await GoProgram.build("workload");
    });

    after(async () => {
      await source[Symbol.asyncDispose]();
      await built[Symbol.asyncDispose]();
      await machine[Symbol.asyncDispose]();
    });

    function tls(peer: SpiffeId): MutualTls & { readonly svid: X509Source } {
      return { svid: source, bundles: source, authorize: matchId(peer) };
    }

    it("serves a Go client, which refuses any other peer", async (t) => {
      const server = createHttpsServer(tls(id), (incoming, response) => {
        response.end(`hello ${peerIdOf(incoming.socket)}`);
      });
      try {
        await once(server.listen(0, "127.0.0.1"), "listening");
        const args = ["dial", "-peer", id.toString(), "-address", addressOf(server)];
        const program = { file: built.file, args, env: endpoint(machine) };
        const checks = await testChecks(t, program, ["request", "another peer is not accepted"]);
        assert.equal(checks.find(({ check }) => check === "request")?.detail, `hello ${id}`);
      } finally {
        server.close();
      }
    });

    it("reaches a Go service, and refuses it when it is not who was meant", async () => {
      const args = ["serve", "-peer", id.toString()];
      const program = { file: built.file, args, env: endpoint(machine) };
      const stranger = SpiffeId.parse("spiffe://example.test/somebody/else");
      for await (const { check, detail } of streamChecks(program)) {
        if (check !== "listening") continue;
        const address = String(detail);
        assert.equal(await get(address, new SpiffeHttpsAgent(tls(id))), `hello ${id}`);
        await assert.rejects(get(address, new SpiffeHttpsAgent(tls(stranger))), {
          name: "SpiffeError",
          code: "id_not_authorized",
        });
        return;
      }
      assert.fail("the service did not come up");
    });
  });
}
