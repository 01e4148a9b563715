// OpenSSL and curl, which know nothing of SPIFFE, take the certificates that we issue.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { Server } from "node:https";
import { userInfo } from "node:os";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { userWorkload } from "../../deploy/local/user-entry.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { parseSelector } from "../../proto/selector.ts";
import { matchMemberOf } from "../../spiffe/id/matcher.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { peerIdOf } from "../../spiffe/tls/peer-id.ts";
import { createHttpsServer } from "../../spiffe/tls/server.ts";
import { X509Source } from "../../spiffe/workloadapi/x509-source.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { formatCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import { createCsr } from "../../spiffe/x509/csr.ts";
import { Machine, trustDomain } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { endpoint } from "./workload-stories.ts";

const run = promisify(execFile);
const hostName = "web.interop.test";

/** Runs a program with a text on its standard input, and gives what it printed. */
async function pipe(file: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.end(input);
  return text(child.stdout);
}

if (requires("openssl", "curl", "linux")) {
  describe("OpenSSL and curl", () => {
    let machine: Machine;
    let folder: TempDir;
    let caFile: string;

    before(async () => {
      folder = await TempDir.open();
      machine = await Machine.start();
      const { x509Authorities } = await machine.local.server
        .client(Bundle)
        .getBundle({}, machine.call);
      caFile = folder.join("ca.pem");
      const authorities = x509Authorities.map(({ asn1 }) => Certificate.parse(asn1));
      await writeFile(caFile, formatCertificatesPem(authorities));
    });

    after(async () => {
      await machine[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    });

    /** Fails with OpenSSL's words unless it accepts the chain for a purpose. */
    async function verify(name: string, chain: readonly Certificate[], purpose: string) {
      const [leaf, ...intermediates] = chain;
      assert.ok(leaf !== undefined);
      const leafFile = folder.join(`${name}.pem`);
      const untrustedFile = folder.join(`${name}-untrusted.pem`);
      await writeFile(leafFile, formatCertificatesPem([leaf]));
      await writeFile(untrustedFile, formatCertificatesPem(intermediates));
      const untrusted = intermediates.length === 0 ? [] : ["-untrusted", untrustedFile];
      const options = ["-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile", caFile];
      await run("openssl", ["verify", ...options, ...untrusted, leafFile]);
    }

    async function mint(privateKey: KeyObject, dnsNames: readonly string[]) {
      const spiffeId = SpiffeId.parse(`spiffe://${trustDomain}/minted`);
      const csr = createCsr({ privateKey, spiffeId, dnsNames });
      const { svid } = await machine.local.server
        .client(SVID)
        .mintX509SVID({ csr, ttl: 600 }, machine.call);
      assert.ok(svid !== undefined);
      return svid.certChain.map((der) => Certificate.parse(der));
    }

    const keys: readonly (readonly [string, () => KeyObject])[] = [
      ["P-256", () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey],
      ["P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey],
      ["RSA-2048", () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
    ];
    for (const [type, makeKey] of keys) {
      for (const dnsNames of [[], [hostName, `www.${hostName}`]]) {
        it(`verify a certificate for ${type} with ${dnsNames.length} DNS names`, async () => {
          const chain = await mint(makeKey(), dnsNames);
          for (const purpose of ["sslserver", "sslclient"]) {
            await verify(`${type}-${dnsNames.length}`, chain, purpose);
          }
        });
      }
    }

    it("verify the authority's own certificate", async () => {
      await run("openssl", ["verify", "-x509_strict", "-check_ss_sig", "-CAfile", caFile, caFile]);
    });

    it("verify the server's certificate in a handshake", async () => {
      const to = ["-connect", `127.0.0.1:${machine.local.port}`, "-alpn", "h2"];
      const how = ["-CAfile", caFile, "-verify_return_error", "-x509_strict"];
      const seen = await pipe("openssl", ["s_client", ...to, ...how], "");
      assert.match(seen, /Verify return code: 0 \(ok\)/);
    });

    describe("as clients of a service with a workload's SVID", () => {
      let source: X509Source;
      let service: Server;
      let port: number;
      let identity: readonly string[];

      before(async () => {
        const { path, selectors } = userWorkload(userInfo());
        const entry = {
          spiffeId: { trustDomain, path },
          parentId: { trustDomain, path: machine.local.agentPath },
          selectors: selectors.map(parseSelector).filter((selector) => selector !== undefined),
          dnsNames: [hostName],
        };
        await machine.local.server
          .client(Entry)
          .batchCreateEntry({ entries: [entry] }, machine.call);
        const { SPIFFE_ENDPOINT_SOCKET: address } = endpoint(machine);
        source = await X509Source.open({ address, signal: machine.signal });
        const svid = source.x509Svid();
        identity = [folder.join("svid.pem"), folder.join("key.pem")];
        await writeFile(folder.join("svid.pem"), formatCertificatesPem(svid.certificates));
        await writeFile(
          folder.join("key.pem"),
          svid.privateKey.export({ type: "pkcs8", format: "pem" }),
          { mode: 0o600 },
        );
        const authorize = matchMemberOf(TrustDomain.parse(trustDomain));
        service = createHttpsServer(
          { svid: source, bundles: source, authorize },
          (incoming, response) => response.end(`hello ${peerIdOf(incoming.socket)}`),
        );
        await once(service.listen(0, "127.0.0.1"), "listening");
        const bound = service.address();
        assert.ok(typeof bound === "object" && bound !== null);
        port = bound.port;
      });

      after(async () => {
        service.close();
        service.closeAllConnections();
        await source[Symbol.asyncDispose]();
      });

      it("complete mutual TLS with curl", async () => {
        const [certificate = "", key = ""] = identity;
        const where = ["--resolve", `${hostName}:${port}:127.0.0.1`, "--cacert", caFile];
        const who = ["--cert", certificate, "--key", key];
        const url = `https://${hostName}:${port}/`;
        const { stdout } = await run("curl", ["--silent", "--show-error", ...where, ...who, url]);
        assert.equal(stdout, `hello ${source.x509Svid().id}`);
      });

      it("get nothing from it without a certificate", async () => {
        const where = ["--resolve", `${hostName}:${port}:127.0.0.1`, "--cacert", caFile];
        const url = `https://${hostName}:${port}/`;
        await assert.rejects(run("curl", ["--silent", ...where, url]), { stdout: "" });
      });

      it("complete mutual TLS with openssl s_client", async () => {
        const [certificate = "", key = ""] = identity;
        const to = ["-connect", `127.0.0.1:${port}`, "-CAfile", caFile];
        const how = ["-verify_return_error", "-verify_hostname", hostName, "-x509_strict"];
        const who = ["-cert", certificate, "-key", key];
        const seen = await pipe(
          "openssl",
          ["s_client", "-quiet", ...to, ...how, ...who],
          `GET / HTTP/1.1\r\nHost: ${hostName}\r\nConnection: close\r\n\r\n`,
        );
        assert.match(seen, new RegExp(`hello ${source.x509Svid().id}$`));
      });
    });
  });
}
