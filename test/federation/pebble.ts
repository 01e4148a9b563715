// Pebble, an ACME server by others, and the name server that it asks. It validates: a challenge that is not answered gets nothing.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request } from "node:https";
import { freePort } from "../../deploy/local/free-port.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { eventually } from "../support/eventually.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { pemOf, webAuthority, webCertificate } from "../support/foreign-endpoint.ts";
import { TempDir } from "../support/temp-dir.ts";

const apiAuthority = formatPem("CERTIFICATE", webAuthority.der);

export class Pebble implements AsyncDisposable {
  readonly directoryUrl: string;
  /** File with the authority of the ACME server itself, which is another than that of what it issues. */
  readonly caFile: string;
  readonly #managementPort: number;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    ports: { readonly acme: number; readonly management: number },
    caFile: string,
    owned: AsyncDisposableStack,
  ) {
    this.directoryUrl = `https://127.0.0.1:${ports.acme}/dir`;
    this.caFile = caFile;
    this.#managementPort = ports.management;
    this.#owned = owned;
  }

  /**
   * @param o.tlsPort where names are validated, in place of 443; every name is 127.0.0.1
   * @param o.lifeSeconds of what it issues
   */
  static async start(o: {
    readonly tlsPort: number;
    readonly lifeSeconds: number;
  }): Promise<Pebble> {
    await using opening = new AsyncDisposableStack();
    const dir = opening.use(await TempDir.open());
    const [acme, management, dns, dnsManagement] = [
      await freePort(0),
      await freePort(0),
      await freePort(0),
      await freePort(0),
    ];
    const { cert, key } = pemOf(webCertificate());
    const files = { cert: dir.join("cert.pem"), key: dir.join("key.pem"), ca: dir.join("ca.pem") };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    await writeFile(files.ca, apiAuthority);
    const config = {
      pebble: {
        listenAddress: `127.0.0.1:${acme}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: files.cert,
        privateKey: files.key,
        httpPort: 1,
        tlsPort: o.tlsPort,
        keyAlgorithm: "ecdsa",
        retryAfter: { authz: 1, order: 1 },
        profiles: { default: { description: "short", validityPeriod: o.lifeSeconds } },
      },
    };
    await writeFile(dir.join("pebble.json"), JSON.stringify(config));
    const names = opening.use(await GoProgram.buildPebble("pebble-challtestsrv"));
    const program = opening.use(await GoProgram.buildPebble("pebble"));
    opening.use(
      new Running(names.file, [
        ...["-dnsserver", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${dnsManagement}`],
        ...["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""],
        ...["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""],
      ]),
    );
    opening.use(
      new Running(program.file, [
        ...["-strict", "-config", dir.join("pebble.json"), "-dnsserver", `127.0.0.1:${dns}`],
      ]),
    );
    const pebble = new Pebble({ acme, management }, files.ca, opening.move());
    try {
      await eventually("Pebble", () => pebble.root());
      return pebble;
    } catch (err) {
      await pebble[Symbol.asyncDispose]();
      throw err;
    }
  }

  /** The authority of what it issues, in PEM; made anew at each start. */
  async root(): Promise<string> {
    const asked = request({
      host: "127.0.0.1",
      port: this.#managementPort,
      path: "/roots/0",
      ca: apiAuthority,
      agent: false,
    });
    asked.end();
    const [response] = await once(asked, "response");
    assert.equal(response.statusCode, 200);
    return Buffer.concat(await Array.fromAsync<Buffer>(response)).toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

class Running implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(file: string, args: readonly string[]) {
    // Each order is validated anew, at once, and no nonce is refused by chance.
    const env = { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0", PEBBLE_WFE_NONCEREJECT: "0" };
    this.#child = spawn(file, args, { stdio: "ignore", env: { ...process.env, ...env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
  }
}
