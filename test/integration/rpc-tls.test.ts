// Connections over TLS that were checked before they are injected: what the server knows of them, and what it refuses.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { credentials } from "@grpc/grpc-js";
import { Status } from "../../runtime/errors/status-error.ts";
import { systemRandom } from "../../runtime/random.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import { service } from "../../runtime/rpc/service.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { type EchoCaller, plainHandlers } from "../support/echo/echo-server.ts";
import { Echo } from "../support/echo/gen/echo_pb.ts";
import { dnsName, type Issued, subjectAltName, TestAuthority } from "../support/test-ca.ts";

const options = { signal: new AbortController().signal, timeoutMs: 60_000 };
const validity = {
  notBefore: new Date("2020-01-01T00:00:00Z"),
  notAfter: new Date("2049-01-01T00:00:00Z"),
};

const pem = ({ der }: { der: Uint8Array }): Buffer =>
  Buffer.from(new X509Certificate(Buffer.from(der)).toString());
const keyPem = ({ privateKey }: Issued): Buffer =>
  Buffer.from(privateKey.export({ format: "pem", type: "pkcs8" }));

/** Accepts TLS connections with or without a certificate, and names each by what it presented. */
async function openTlsServer() {
  const ca = TestAuthority.root(validity);
  const leaf = ca.leaf({ ...validity, subjectAltName: subjectAltName([dnsName("localhost")]) });
  const names = new Map<string, string>();
  const rpc = RpcServer.create<EchoCaller>({
    services: [
      service(Echo, {
        ...plainHandlers,
        say: async (_request, { caller, connectionId }) => ({
          text: `${caller.name} on ${connectionId}`,
        }),
      }),
    ],
    interceptors: [],
    callerOf: (connectionId) => ({ name: names.get(connectionId) ?? "nobody" }),
    log: new RecordingLog().log,
    clock: systemClock,
    random: systemRandom,
  });
  const listener = createServer({
    key: keyPem(leaf),
    cert: pem(leaf),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.3",
  });
  listener.on("secureConnection", (socket: TLSSocket) => {
    const id = `t${names.size + 1}`;
    const certificate = socket.getPeerX509Certificate();
    names.set(id, certificate?.subjectAltName ?? "anonymous");
    rpc.inject(socket, id);
  });
  listener.on("tlsClientError", () => {});
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  return {
    ca,
    port,
    rpc,
    async [Symbol.asyncDispose]() {
      listener.close();
      await rpc[Symbol.asyncDispose]();
    },
  };
}

function open(port: number, creds: ReturnType<typeof credentials.createSsl>) {
  const channel = openChannel({
    target: `127.0.0.1:${port}`,
    credentials: creds,
    options: { "grpc.ssl_target_name_override": "localhost" },
  });
  return { client: createClient(Echo, channel), [Symbol.dispose]: () => channel.close() };
}

describe("a call over TLS", () => {
  it("comes from whom the listener established, with a certificate", async () => {
    await using server = await openTlsServer();
    const leaf = server.ca.leaf(validity);
    const creds = credentials.createSsl(pem(server.ca), keyPem(leaf), pem(leaf));
    using known = open(server.port, creds);
    const { text } = await known.client.say({}, options);
    assert.equal(text, "URI:spiffe://td.test/w on t1");
  });

  it("comes from nobody without one, on the same port", async () => {
    await using server = await openTlsServer();
    using anonymous = open(server.port, credentials.createSsl(pem(server.ca)));
    assert.equal((await anonymous.client.say({}, options)).text, "anonymous on t1");
  });

  it("ends with its connection", async () => {
    await using server = await openTlsServer();
    using victim = open(server.port, credentials.createSsl(pem(server.ca)));
    const stream = victim.client.talk(
      (async function* () {
        yield { text: "a" };
        await new Promise(() => {});
      })(),
      { signal: options.signal },
    );
    const reading = (async () => {
      for await (const { text } of stream) {
        assert.equal(text, "A");
        server.rpc.closeConnection("t1");
      }
    })();
    await assert.rejects(reading, { code: Status.UNAVAILABLE });
    assert.equal(server.rpc.connectionCount, 0);
  });

  it("is not made by a client that does not speak HTTP/2", async () => {
    await using server = await openTlsServer();
    const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => {});
    socket.resume();
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
    });
    assert.equal(server.rpc.connectionCount, 0);
  });
});
