// What becomes of a connection that is ended before it has begun: between its handshake and its first call.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { connect } from "node:tls";
import { Feed } from "../../runtime/feed.ts";
import { Ids } from "../../runtime/ids.ts";
import { systemRandom as random } from "../../runtime/random.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import type { Caller } from "../../server/api/caller.ts";
import { limitsSchema } from "../../server/config/endpoint-settings.ts";
import { AgentEndpoint } from "../../server/endpoints/agent-endpoint.ts";
import { NetworkCallers } from "../../server/endpoints/network-callers.ts";
import type { Commit } from "../../server/store/commit.ts";
import type { Store } from "../../server/store/store.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { X509Svid } from "../../spiffe/svid/x509-svid.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { TestAuthority, testNow, uriSan } from "../support/test-ca.ts";

const trustDomain = TrustDomain.parse("td.test");
const agentId = "spiffe://td.test/spire/agent/test/1";

describe("an agent's connection", () => {
  it("is closed when its agent is evicted while it is taken in", async () => {
    await using stack = new AsyncDisposableStack();
    const authority = TestAuthority.root();
    const server = authority.leaf({ subjectAltName: uriSan("spiffe://td.test/spire/server") });
    const agent = authority.leaf({ subjectAltName: uriSan(agentId) });
    const clock = new FakeClock(testNow);
    const recorded = new RecordingLog();
    const { log } = recorded;
    const reading = Promise.withResolvers<void>();
    const read = Promise.withResolvers<undefined>();
    let commit: (commit: Commit) => void = () => {};
    const store: Pick<Store, "read" | "onCommit"> = {
      read: () => {
        reading.resolve();
        return read.promise as never;
      },
      onCommit: (listener) => {
        commit = listener;
        return { [Symbol.dispose]: () => {} };
      },
    };
    const callers = stack.use(
      new NetworkCallers({
        store,
        clock,
        grantsOf: () => assert.fail(),
        closeConnection: (id, reason) => rpc.closeConnection(id, reason),
      }),
    );
    const rpc = stack.use(
      RpcServer.create<Caller>({
        services: [],
        interceptors: [],
        callerOf: (id) => callers.callerOf(id),
        log,
        clock,
        random,
      }),
    );
    const endpoint = stack.use(
      await AgentEndpoint.open({
        listen: { address: "127.0.0.1", port: 0, tls: { minVersion: "1.3" } },
        limits: limitsSchema.parse({}),
        renewGrace: () => 0,
        identity: new Feed(new X509Svid([Certificate.parse(server.der)], server.privateKey)),
        bundle: new Feed(
          new Bundle(trustDomain, { x509Authorities: [Certificate.parse(authority.der)] }),
        ),
        callers,
        ids: new Ids(random),
        inject: async (socket, id) => rpc.inject(socket, id),
        clock,
        log,
      }),
    );
    const socket = connect({
      port: endpoint.address.port,
      host: "127.0.0.1",
      cert: formatPem("CERTIFICATE", agent.der),
      key: agent.privateKey.export({ type: "pkcs8", format: "pem" }),
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    const closed = once(socket.resume(), "close");
    await reading.promise;
    commit({ revision: 1n, changes: [{ kind: "node", action: "delete", id: agentId }] });
    read.resolve(undefined);
    await closed;
    assert.ok(recorded.messages().includes("Refused a connection"));
  });
});
