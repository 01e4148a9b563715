// Federation by the configuration: relationships of the file, and a bundle endpoint of the Web.

import assert from "node:assert/strict";
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { connect } from "node:tls";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { eventually } from "../support/eventually.ts";
import {
  domainAuthority,
  pemOf,
  webAuthority,
  webCertificate,
} from "../support/foreign-endpoint.ts";
import { CALL, RunningServer } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const partner = TrustDomain.parse("partner.test");
const documentOf = (sequence: bigint): string =>
  formatBundleDocument(
    new Bundle(partner, {
      x509Authorities: [domainAuthority("partner.test").certificate],
      sequence,
    }),
  );

async function listed(server: RunningServer): Promise<readonly unknown[]> {
  using admin = server.admin();
  const { federations } = await admin.client(Admin).listFederations({}, CALL);
  return federations.map(({ federation, origin, sequence }) => [
    federation?.trustDomain,
    origin,
    federation?.limits?.any ? "any" : federation?.limits?.idPatterns.join(),
    Number(sequence),
  ]);
}

describe("relationships of the configuration", () => {
  it("are made at the start, follow a reload, and are changed nowhere else", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("partner.json"), documentOf(5n));
    const settings = (allow: unknown) => ({
      federation: {
        relationships: { "partner.test": { bundleFile: dir.join("partner.json"), allow } },
      },
    });
    {
      await using server = await RunningServer.open(settings({ ids: ["/a"] }), dir);
      assert.deepEqual(await listed(server), [["partner.test", "config", "/a", 5]]);
      server.settings = settings("any");
      const { applicable } = await server.server.reload({ dryRun: false });
      assert.deepEqual(
        applicable.map(({ path }) => path),
        ["federation.relationships.partner.test.allow"],
      );
      assert.deepEqual(await listed(server), [["partner.test", "config", "any", 5]]);
      using admin = server.admin();
      await assert.rejects(
        admin.client(Admin).deleteFederation({ trustDomain: "partner.test" }, CALL),
        { code: 9, message: /kept in the configuration/ },
      );
      server.settings = {};
      await server.server.reload({ dryRun: false });
      assert.deepEqual(await listed(server), []);
    }
    // The file is where a bundle begins: what is known already is not replaced by it.
    await using again = await RunningServer.open(settings("any"), dir);
    assert.deepEqual(await listed(again), [["partner.test", "config", "any", 5]]);
    await writeFile(dir.join("partner.json"), documentOf(3n));
    await again.server.reload({ dryRun: false });
    assert.deepEqual(await listed(again), [["partner.test", "config", "any", 5]]);
  });
});

describe("a bundle endpoint of the Web", () => {
  const namesShown = async (port: number): Promise<string> => {
    const ca = formatPem("CERTIFICATE", webAuthority.der);
    const socket = connect({ host: "127.0.0.1", port, ca });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerX509Certificate() ?? {};
    socket.destroy();
    return fingerprint256 ?? "";
  };

  it("shows the certificate of its files, and the next one when they change", async () => {
    await using dir = await TempDir.open();
    const write = async (certificate: ReturnType<typeof webCertificate>): Promise<void> => {
      const { cert, key } = pemOf(certificate);
      for (const [name, text] of [
        ["tls.crt", cert],
        ["tls.key", key],
      ] as const) {
        await writeFile(dir.join(`${name}.new`), text);
        await rename(dir.join(`${name}.new`), dir.join(name));
      }
    };
    await write(webCertificate());
    await using server = await RunningServer.open({
      federation: {
        bundleEndpoint: {
          address: "127.0.0.1",
          port: 0,
          profile: {
            type: "https_web",
            certFile: dir.join("tls.crt"),
            keyFile: dir.join("tls.key"),
          },
        },
      },
    });
    const port = server.server.bundleEndpointPort ?? 0;
    const before = await namesShown(port);
    await write(webCertificate());
    const after = await eventually("the next certificate", async () => {
      const shown = await namesShown(port);
      return shown === before ? undefined : shown;
    });
    // What makes no pair is not taken.
    await writeFile(dir.join("tls.key"), pemOf(webCertificate()).key);
    await eventually("a warning", () =>
      server.log
        .messages("warn")
        .includes("Certificate could not be read again, the one in use stays")
        ? true
        : undefined,
    );
    assert.equal(await namesShown(port), after);
  });
});
