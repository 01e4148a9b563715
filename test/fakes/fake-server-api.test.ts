import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, createSecureContext } from "node:tls";
import { AgentSync } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { VerifiedTlsCredentials } from "../../spiffe/tls/verified-channel-credentials.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import { testKey } from "../support/test-ca.ts";
import { FakeServerApi } from "./fake-server-api.ts";

const options = () => ({ signal: new AbortController().signal, timeoutMs: 60_000 });

function channelTo(server: FakeServerApi) {
  const credentials = new VerifiedTlsCredentials(
    () => createSecureContext({ ca: [] }),
    () => {},
  );
  return openChannel({ target: server.address, credentials });
}

describe("FakeServerApi", () => {
  it("signs whoever comes with a join token, and gives out its bundle", async () => {
    await using server = await FakeServerApi.open();
    const channel = channelTo(server);
    const { privateKey } = testKey();
    const params = {
      data: { type: "join_token", payload: Buffer.from("t1") },
      params: { csr: createCsr({ privateKey }) },
    };
    const requests = (async function* () {
      yield { step: { case: "params" as const, value: params } };
    })();
    const answers = await Array.fromAsync(
      createClient(Agent, channel).attestAgent(requests, options()),
    );
    const [answer] = answers;
    assert.ok(answer?.step.case === "result");
    const leaf = Certificate.parse(
      answer.step.value.svid?.certChain[0]?.slice() ?? new Uint8Array(),
    );
    assert.equal(leaf.spiffeId.toString(), "spiffe://td.test/spire/agent/join_token/t1");
    const bundle = await createClient(Bundle, channel).getBundle({}, options());
    assert.equal(bundle.x509Authorities.length, 1);
    channel.close();
  });

  it("has no push unless asked to", async () => {
    await using server = await FakeServerApi.open();
    const channel = channelTo(server);
    const messages = createClient(AgentSync, channel).sync((async function* () {})(), options());
    await assert.rejects(Array.fromAsync(messages), { message: "no certificate" });
    channel.close();
  });

  it("shows a certificate with the server's SPIFFE ID", async () => {
    await using server = await FakeServerApi.open();
    const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    const { raw = Buffer.alloc(0) } = socket.getPeerX509Certificate() ?? {};
    const leaf = Certificate.parse(new Uint8Array(raw));
    assert.equal(leaf.spiffeId.toString(), "spiffe://td.test/spire/server");
    socket.destroy();
  });
});
