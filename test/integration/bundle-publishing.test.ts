// The own bundle, kept up to date in a file and at a URL.

import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { Bundle as BundleApi } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { eventually } from "../support/eventually.ts";
import {
  domainAuthority,
  ForeignEndpoint,
  webAuthority,
  webCertificate,
} from "../support/foreign-endpoint.ts";
import { CALL, RunningServer } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

describe("publishing the bundle", () => {
  it("writes files, and puts it at a URL, whenever it changes", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("web.pem"), formatPem("CERTIFICATE", webAuthority.der));
    await writeFile(dir.join("token"), "secret\n");
    const got: { method: string | undefined; authorization: string | undefined; keys: number }[] =
      [];
    let status = 503;
    await using store = await ForeignEndpoint.open(webCertificate(), async (request, response) => {
      const { keys } = JSON.parse(await text(request));
      const { authorization } = request.headers;
      if (status === 200) got.push({ method: request.method, authorization, keys: keys.length });
      response.writeHead(status).end();
      status = 200;
    });
    await using server = await RunningServer.open({
      bundlePublishers: {
        files: [
          { path: dir.join("bundle.json") },
          { path: dir.join("bundle.pem"), format: "pem", mode: "0640" },
        ],
        http: [{ url: store.url, authorities: dir.join("web.pem"), tokenFile: dir.join("token") }],
      },
    });
    const keysIn = async (): Promise<number> =>
      JSON.parse(await readFile(dir.join("bundle.json"), "utf8")).keys.length;
    await eventually("the files", () => stat(dir.join("bundle.pem")).catch(() => undefined));
    assert.equal((await stat(dir.join("bundle.pem"))).mode & 0o777, 0o640);
    const before = await eventually("the document", () => keysIn().catch(() => undefined));
    await eventually("the second try", () => (got.length > 0 ? true : undefined));
    assert.deepEqual(got, [{ method: "PUT", authorization: "Bearer secret", keys: before }]);
    using admin = server.admin();
    await admin.client(LocalAuthority).prepareJWTAuthority({}, CALL);
    await eventually("the next authority", async () =>
      (await keysIn()) > before && got.length > 1 ? true : undefined,
    );
    assert.equal(got.at(-1)?.keys, before + 1);
  });

  it("has others' authorities of the same trust domain appended", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const api = admin.client(BundleApi);
    const before = await api.getBundle({}, CALL);
    const asn1 = domainAuthority("example.test").der;
    const appended = await api.appendBundle({ x509Authorities: [{ asn1 }] }, CALL);
    assert.equal(appended.x509Authorities.length, before.x509Authorities.length + 1);
    assert.equal(appended.sequenceNumber, before.sequenceNumber + 1n);
    const again = await api.appendBundle({ x509Authorities: [{ asn1 }] }, CALL);
    assert.equal(again.sequenceNumber, appended.sequenceNumber, "nothing new");
    await assert.rejects(
      api.appendBundle({ x509Authorities: [{ asn1: new Uint8Array([1]) }] }, CALL),
      {
        code: 3,
      },
    );
  });
});
