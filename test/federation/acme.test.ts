// Endpoints obtain their certificate of the Web themselves. The ACME server is Pebble, which validates by tls-alpn-01 at one port: so the
// endpoints stand there one after the other.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { connect, TLSSocket } from "node:tls";
import { stringify } from "yaml";
import { runAssay } from "../../assay.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { RunningServer, type Settings } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";
import { Pebble } from "./pebble.ts";

const DOMAIN = "bundles.example.test";
/** Renewed after two thirds of it. */
const LIFE_SECONDS = 12;

if (requires("go")) {
  describe("endpoints with ACME", { timeout: 120_000 }, () => {
    let port: number;
    let dir: TempDir;
    let pebble: Pebble;
    let server: RunningServer;
    let root: string;
    let acme: Settings;
    let issuer: string;
    const startedAt = Date.now();

    before(async () => {
      port = await freePort(0);
      dir = await TempDir.open();
      pebble = await Pebble.start({ tlsPort: port, lifeSeconds: LIFE_SECONDS });
      root = await pebble.root();
      const { directoryUrl, caFile } = pebble;
      const directory = dir.join("acme");
      acme = { domain: DOMAIN, tosAccepted: true, directory, directoryUrl, caFile };
      issuer = `https://${DOMAIN}:${port}`;
      server = await RunningServer.open({
        observability: { enabled: true, address: "127.0.0.1", port: 0 },
        federation: {
          bundleEndpoint: {
            address: "127.0.0.1",
            port,
            profile: { type: "https_web_acme", email: "operators@example.test", ...acme },
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
    const get = async (path: string): Promise<IncomingMessage> => {
      const target = { host: "127.0.0.1", port, servername: DOMAIN, ca: root, agent: false };
      const asked = request({ ...target, path, headers: { host: `${DOMAIN}:${port}` } });
      asked.end();
      const [response] = await once(asked, "response");
      return response;
    };

    const fetchBundle = async () => {
      const response = await get("/");
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

    const listen = (): Settings => ({ type: "https_acme", address: "127.0.0.1", port, ...acme });

    it("serves OIDC discovery from the server", async () => {
      await server[Symbol.asyncDispose]();
      // Nothing is kept from before.
      acme = { ...acme, directory: dir.join("oidc") };
      server = await RunningServer.open({
        observability: { enabled: true, address: "127.0.0.1", port: 0 },
        ca: { jwtIssuer: issuer },
        oidc: { listen: listen() },
      });
      const metricsPort = server.server.observabilityPort;
      const response = await eventually("an answer", () => get("/keys"));
      assert.equal(response.statusCode, 200);
      assert.equal(JSON.parse(await text(response)).keys.length, 1);
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const metric = /^assay_server_oidc_certificate_expires_seconds (\d+)$/m.exec(metrics);
      assert.ok(Number(metric?.[1]) > startedAt / 1000);
    });

    it("serves OIDC discovery from the Workload API", async () => {
      await server[Symbol.asyncDispose]();
      acme = { ...acme, directory: dir.join("oidc-run") };
      const path = dir.join("oidc.yaml");
      const config = {
        workloadApi: `unix://${dir.join("nobody.sock")}`,
        trustDomains: { "example.test": { issuer } },
        listen: listen(),
        observability: { enabled: false },
        log: { level: "error" },
      };
      await writeFile(path, stringify(config));
      const stop = new AbortController();
      const running = runAssay(["oidc", "run", "-c", path], {
        write: () => {},
        writeError: () => {},
        readInput: async () => "",
        env: {},
        signal: stop.signal,
      });
      try {
        const response = await eventually("an answer", () => get("/keys"));
        // That of a provider whose keys have not come yet, over a connection that is verified.
        assert.equal(response.statusCode, 503);
        response.resume();
      } finally {
        stop.abort();
        assert.equal(await running, ExitCode.ok);
      }
    });
  });
}
