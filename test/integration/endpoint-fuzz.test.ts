// What stands on a port and what asks at one, with bytes that nobody wrote by hand: answers of foreign bundle endpoints, and requests
// to those who serve bundles and keys.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { DocumentServer } from "../../runtime/http/document-server.ts";
import { fetchBundle } from "../../server/federation/fetch-bundle.ts";
import { FetchError } from "../../server/federation/fetch-error.ts";
import { ProviderSite } from "../../server/oidc/provider-site.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import {
  domainAuthority,
  ForeignEndpoint,
  webAuthority,
  webCertificate,
} from "../support/foreign-endpoint.ts";
import { fuzzing } from "../support/fuzzing.ts";
import { damaged } from "../support/hostile.ts";
import { TempDir } from "../support/temp-dir.ts";
import { testKey, testNow } from "../support/test-ca.ts";

const partner = TrustDomain.parse("partner.test");

const message = (...lines: readonly string[]): Buffer => Buffer.from(lines.join("\r\n"), "latin1");

describe("fuzzing: a foreign bundle endpoint", () => {
  let endpoint: ForeignEndpoint;
  let answer: Uint8Array = Buffer.of();
  before(async () => {
    endpoint = await ForeignEndpoint.open(webCertificate(), ({ socket }) => socket.end(answer));
  });
  after(() => endpoint[Symbol.asyncDispose]());

  it("gives a bundle, or a reason why there is none", async () => {
    const x509Authorities = [domainAuthority("partner.test").certificate];
    const document = formatBundleDocument(new Bundle(partner, { x509Authorities, sequence: 7n }));
    const length = `Content-Length: ${Buffer.byteLength(document)}`;
    const kind = "Content-Type: application/json";
    const size = Buffer.byteLength(document).toString(16);
    const samples = [
      message("HTTP/1.1 200 OK", kind, "Cache-Control: max-age=60", length, "", document),
      message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", size, document, "0", "", ""),
      message("HTTP/1.1 302 Found", "Location: /bundle?again", "Content-Length: 0", "", ""),
    ];
    const trust = {
      webAuthorities: [formatPem("CERTIFICATE", webAuthority.der)],
      bundles: new BundleSet([]),
      now: () => testNow,
    };
    const { signal } = new AbortController();
    const from = { profile: "https_web", url: endpoint.url } as const;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...samples).chain(damaged), async (bytes) => {
        answer = bytes;
        try {
          await fetchBundle(partner, from, { trust, followRedirects: true }, signal);
        } catch (err) {
          assert.ok(err instanceof FetchError, String(err));
        }
      }),
      fuzzing(60),
    );
  });
});

describe("fuzzing: those who ask for keys", () => {
  const issuer = "https://keys.test";
  let dir: TempDir;
  let server: DocumentServer;
  let path: string;
  const log = new RecordingLog();
  before(async () => {
    dir = await TempDir.open();
    path = dir.join("keys.sock");
    const jwtAuthorities = [{ keyId: "k", publicKey: testKey().publicKey }];
    const bundle = new Bundle(partner, { jwtAuthorities });
    const site = new ProviderSite({
      providers: [{ issuer, hosts: [], bundle: () => bundle }],
      algorithms: ["ES256"],
      maxAgeSeconds: 60,
      clock: new FakeClock(),
    });
    server = await DocumentServer.open({
      socketPath: path,
      mode: 0o600,
      maxConnections: 10,
      documentAt: (asked, host) => site.documentAt(asked, host),
      log: log.log,
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  async function send(bytes: Uint8Array): Promise<string> {
    const socket = connect(path);
    socket.on("error", () => {});
    socket.end(bytes);
    return await text(socket).catch(() => "");
  }

  it("get them under their name and path, and an error otherwise", async () => {
    const head = ["Host: keys.test", "Connection: close"];
    const samples = [
      message("GET /keys HTTP/1.1", ...head, "", ""),
      message("GET /keys HTTP/1.1", ...head, 'If-None-Match: "a", W/"b"', "", ""),
      message("GET /.well-known/openid-configuration HTTP/1.1", ...head, "", ""),
      message("POST /keys HTTP/1.1", ...head, "Content-Length: 3", "", "abc"),
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...samples).chain(damaged), async (bytes) => {
        const got = await send(bytes);
        assert.match(got, /^(HTTP\/1\.1 (200|304|4\d\d) |$)/);
        if (!got.includes('"keys"')) return;
        const asked = Buffer.from(bytes).toString("latin1");
        assert.match(asked, /GET +\/keys(\?[^ ]*)? +HTTP\//);
        assert.match(asked, /^Host:[ \t]*keys\.test(:443)?[ \t]*\r?$/im);
      }),
      fuzzing(200),
    );
    assert.match(await send(samples[0] ?? Buffer.of()), /^HTTP\/1\.1 200 /);
    assert.deepEqual(log.messages("error"), []);
  });
});
