// The bundle endpoint obtains its certificate of the Web itself. The ACME server is Pebble, which validates by tls-alpn-01 at the endpoint's port.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { request } from "node:https";
import { after, before, describe, it } from "node:test";
import { connect, TLSSocket } from "node:tls";
import { freePort } from "../../deploy/local/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { RunningServer } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";
import { Pebble } from "./pebble.ts";

const DOMAIN = "bundles.example.test";
/** Renewed after two thirds of it. */
const LIFE_SECONDS = 12;

if (requires("go")) {
  describe("a bundle endpoint with ACME", { timeout: 120_000 }, () => {
    let port: number;
    let dir: TempDir;
    let pebble: Pebble;
    let server: RunningServer;
    let root: string;
    const startedAt = Date.now();

    before(async () => {
      port = await freePort(0);
      dir = await TempDir.open();
      pebble = await Pebble.start({ tlsPort: port, lifeSeconds: LIFE_SECONDS });
      root = await pebble.root();
      const { directoryUrl, caFile } = pebble;
      server = await RunningServer.open({
        observability: { enabled: true, address: "127.0.0.1", port: 0 },
        federation: {
          bundleEndpoint: {
            address: "127.0.0.1",
            port,
            profile: {
              type: "https_web_acme",
              domain: DOMAIN,
              email: "operators@example.test",
              tosAccepted: true,
              directory: dir.join("acme"),
              directoryUrl,
              caFile,
            },
          },
        },
      });
    });
    after(async () => {
      await server?.[Symbol.asyncDispose]();
      await pebble?.[Symbol.asyncDispose]();
      await dir?.[Symbol.asyncDispose]();
    });

    /** Asks as a client that trusts Pebble's root alone. */
    const fetchBundle = async () => {
      const asked = request({
        host: "127.0.0.1",
        port,
        servername: DOMAIN,
        ca: root,
        agent: false,
      });
      asked.end();
      const [response] = await once(asked, "response");
      const { socket } = response;
      assert.ok(socket instanceof TLSSocket);
      const serial = socket.getPeerX509Certificate()?.serialNumber;
      assert.ok(serial);
      const body = Buffer.concat(await Array.fromAsync<Buffer>(response)).toString();
      return { serial, keys: JSON.parse(body).keys };
    };

    it("serves its bundle with a certificate that was validated, and with the next one in time", async () => {
      const first = await eventually("a certificate", fetchBundle, { timeoutMs: 30_000 });
      assert.ok(first.keys.length > 0);
      const second = await eventually(
        "a renewal",
        async () => {
          const next = await fetchBundle();
          return next.serial === first.serial ? undefined : next;
        },
        { timeoutMs: 30_000 },
      );
      assert.deepEqual(second.keys, first.keys);
      assert.deepEqual(server.log.messages("warn"), []);
    });

    it("keeps key and certificate for itself", async () => {
      const files = await readdir(dir.join("acme"));
      assert.equal(files.length, 2);
      for (const file of files) {
        assert.equal((await stat(dir.join("acme", file))).mode & 0o777, 0o600);
      }
    });

    it("tells when the certificate ends", async () => {
      const answer = await fetch(`http://127.0.0.1:${server.server.observabilityPort}/metrics`);
      const found = /^assay_server_bundle_endpoint_certificate_expires_seconds (\d+)$/m.exec(
        await answer.text(),
      );
      assert.ok(Number(found?.[1]) > startedAt / 1000);
    });

    it("refuses the challenge's protocol while nothing is being validated", async () => {
      const socket = connect({
        host: "127.0.0.1",
        port,
        servername: "other.example.test",
        ALPNProtocols: ["acme-tls/1"],
        rejectUnauthorized: false,
      });
      const [err] = await once(socket, "error");
      assert.match(err.code, /NO_APPLICATION_PROTOCOL/);
    });
  });
}
