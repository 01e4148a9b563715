// SPIFFE Federation 5: what a client takes from a bundle endpoint. Titles begin with the vector (F-nn) of the standard's cases.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import type { FetchedEndpoint } from "../../server/federation/endpoint-trust.ts";
import { parseEndpointUrl } from "../../server/federation/endpoint-url.ts";
import { type FetchedBundle, fetchBundle } from "../../server/federation/fetch-bundle.ts";
import type { FetchErrorCode } from "../../server/federation/fetch-error.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import {
  answering,
  domainAuthority,
  endpointSvid,
  ForeignEndpoint,
  redirecting,
  webAuthority,
  webCertificate,
} from "../support/foreign-endpoint.ts";
import { dnsName, ipAddress, TestAuthority, testNow } from "../support/test-ca.ts";

const partner = TrustDomain.parse("partner.test");
const root = domainAuthority("partner.test");
const document = formatBundleDocument(
  new Bundle(partner, { x509Authorities: [root.certificate], sequence: 7n }),
);
const good = answering(document);
const ID = "spiffe://partner.test/spire/server";

interface Asking {
  readonly followRedirects?: boolean;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly endpointId?: string;
  readonly bundles?: BundleSet;
}

function fetchFrom(
  url: string,
  profile: FetchedEndpoint["profile"],
  o: Asking = {},
): Promise<FetchedBundle> {
  const { endpointId = ID, followRedirects = true, bundles, ...limits } = o;
  const endpoint: FetchedEndpoint =
    profile === "https_web" ? { profile, url } : { profile, url, endpointId };
  const trust = {
    webAuthorities: [formatPem("CERTIFICATE", webAuthority.der)],
    bundles:
      bundles ?? new BundleSet([new Bundle(partner, { x509Authorities: [root.certificate] })]),
    now: () => testNow,
  };
  const signal = new AbortController().signal;
  return fetchBundle(partner, endpoint, { trust, followRedirects, ...limits }, signal);
}

async function accepts(fetching: Promise<FetchedBundle>): Promise<void> {
  assert.equal((await fetching).bundle.sequence, 7n);
}

async function refuses(fetching: Promise<FetchedBundle>, code: FetchErrorCode): Promise<void> {
  await assert.rejects(fetching, { name: "FetchError", code });
}

const web = (respond = good, options = {}) =>
  ForeignEndpoint.open(webCertificate(), respond, options);
const spiffe = (respond = good, id = ID) => ForeignEndpoint.open(endpointSvid(root, id), respond);

describe("Federation 5.2.1: https_web", () => {
  it("F-01 takes a bundle", async () => {
    await using endpoint = await web();
    await accepts(fetchFrom(endpoint.url, "https_web"));
  });

  for (const [vector, url] of [
    ["F-02", "http://partner.test/"],
    ["F-03", "https://u:p@partner.test/"],
    ["F-03", "https://@partner.test/"],
    ["F-03", "ftp://partner.test/"],
    ["F-03", "partner.test"],
  ] as const) {
    it(`${vector} refuses ${url} in the configuration`, () => {
      assert.throws(() => parseEndpointUrl(url), Error);
    });
  }

  it("F-04 asks for path and query, and not for the fragment", async () => {
    await using endpoint = await web();
    await accepts(fetchFrom(`${endpoint.url}/x?y=z#f`, "https_web"));
    assert.deepEqual(endpoint.asked, ["/bundle/x?y=z"]);
  });

  for (const status of [201, 204, 206, 400, 401, 404, 500, 503]) {
    it(`F-05 refuses status ${status}`, async () => {
      await using endpoint = await web(answering(status === 204 ? "" : document, status));
      await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_status");
    });
  }

  it("F-06 does not judge by the content type", async () => {
    await using endpoint = await web(answering(document, 200, { "content-type": "text/html" }));
    await accepts(fetchFrom(endpoint.url, "https_web"));
  });

  for (const [what, body] of [
    ["nothing", ""],
    ["UTF-16", Buffer.from(document, "utf16le")],
    ["half of it", document.slice(0, -9)],
    ["a list", "[]"],
    ["no keys", "{}"],
  ] as const) {
    it(`F-07 refuses ${what}`, async () => {
      await using endpoint = await web(answering(body));
      await refuses(fetchFrom(endpoint.url, "https_web"), "bundle_malformed");
    });
  }

  it("F-08 refuses a body of 100 MB after the first four", async () => {
    let sent = 0;
    await using endpoint = await web((_, response) => {
      const chunk = Buffer.alloc(1024 * 1024, " ");
      const write = (): void => {
        while (sent < 100 && !response.destroyed) {
          sent += 1;
          if (!response.write(chunk)) {
            response.once("drain", write);
            return;
          }
        }
        response.end(document);
      };
      write();
    });
    await refuses(fetchFrom(endpoint.url, "https_web"), "bundle_too_large");
    assert.ok(sent < 50, `${sent} MB were taken`);
  });

  it("F-08 gives up an answer that trickles", async () => {
    await using endpoint = await web((_, response) => {
      response.writeHead(200);
      const drip = (): void => {
        if (!response.destroyed) response.write(" ", () => setTimeout(drip, 5));
      };
      drip();
    });
    await refuses(fetchFrom(endpoint.url, "https_web", { timeoutMs: 300 }), "endpoint_timeout");
  });

  it("F-08 gives up an endpoint that says nothing", async () => {
    await using endpoint = await web(() => {});
    await refuses(fetchFrom(endpoint.url, "https_web", { timeoutMs: 200 }), "endpoint_timeout");
  });

  it("F-08 refuses a head without end", async () => {
    await using endpoint = await web((_, response) => {
      response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(200_000)}\r\n\r\n`);
    });
    await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_unreachable");
  });

  it("F-08 refuses a compressed answer, which may grow without end", async () => {
    await using endpoint = await web(answering(document, 200, { "content-encoding": "gzip" }));
    await refuses(fetchFrom(endpoint.url, "https_web"), "bundle_malformed");
  });

  it("F-08 refuses an answer that breaks off", async () => {
    await using endpoint = await web((_, response) => {
      response.writeHead(200, { "content-length": "5000" });
      response.write(document.slice(0, 20), () => response.socket?.destroy());
    });
    await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_unreachable");
  });

  for (const status of [301, 302, 303, 307, 308]) {
    it(`F-10 follows ${status} to another endpoint`, async () => {
      await using other = await web();
      await using endpoint = await web(redirecting(other.url, status));
      await accepts(fetchFrom(endpoint.url, "https_web"));
    });
  }

  it("F-10 follows a relative redirect", async () => {
    await using endpoint = await web((request, response) =>
      request.url === "/bundle"
        ? redirecting("/other")(request, response)
        : good(request, response),
    );
    await accepts(fetchFrom(endpoint.url, "https_web"));
  });

  for (const [vector, location] of [
    ["F-12", "http://127.0.0.1:1/"],
    ["F-14", "https://u:p@127.0.0.1:1/"],
    ["F-14", "https://u@127.0.0.1:1/"],
    ["F-16", undefined],
    ["F-16", "https://"],
    ["F-16", "javascript:1"],
  ] as const) {
    it(`${vector} does not follow a redirect to ${location}`, async () => {
      await using endpoint = await web(redirecting(location));
      await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_redirect");
    });
  }

  it("F-13 does not follow to a certificate that nobody trusts", async () => {
    await using other = await ForeignEndpoint.open(webCertificate(TestAuthority.root()), good);
    await using endpoint = await web(redirecting(other.url));
    await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_untrusted");
    assert.deepEqual(other.asked, []);
  });

  it("F-15 does not follow to a certificate for another name", async () => {
    const certificate = webCertificate(webAuthority, [dnsName("elsewhere.test")]);
    await using other = await ForeignEndpoint.open(certificate, good);
    await using endpoint = await web(redirecting(other.url));
    await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_untrusted");
  });

  it("F-16 ends a loop of redirects", async () => {
    await using endpoint = await web((request, response) =>
      redirecting(`${request.url}x`)(request, response),
    );
    await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_redirect");
    assert.equal(endpoint.asked.length, 6);
  });

  it("F-17 begins the next fetch at the configured URL", async () => {
    await using other = await web();
    await using endpoint = await web(redirecting(other.url, 301));
    await accepts(fetchFrom(endpoint.url, "https_web"));
    await accepts(fetchFrom(endpoint.url, "https_web"));
    assert.equal(endpoint.asked.length, 2);
  });

  it("F-18 follows nothing when redirects are turned off", async () => {
    await using other = await web();
    await using endpoint = await web(redirecting(other.url));
    const fetching = fetchFrom(endpoint.url, "https_web", { followRedirects: false });
    await assert.rejects(fetching, { code: "endpoint_redirect", message: /turned off/ });
  });

  const certificates = [
    ["F-20", "that nobody trusts", webCertificate(TestAuthority.root())],
    ["F-21", "for another name", webCertificate(webAuthority, [dnsName("elsewhere.test")])],
    ["F-21", "for another address", webCertificate(webAuthority, [ipAddress(127, 0, 0, 2)])],
    [
      "F-22",
      "that has expired",
      webCertificate(webAuthority, undefined, {
        notBefore: new Date("2020-01-01T00:00:00Z"),
        notAfter: new Date("2021-01-01T00:00:00Z"),
      }),
    ],
    ["F-34", "that is an X509-SVID", endpointSvid(root, ID)],
  ] as const;
  for (const [vector, what, certificate] of certificates) {
    it(`${vector} refuses a certificate ${what}`, async () => {
      await using endpoint = await ForeignEndpoint.open(certificate, good);
      await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_untrusted");
      assert.deepEqual(endpoint.asked, []);
    });
  }

  it("F-22 refuses TLS 1.1", async () => {
    await using endpoint = await web(good, { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
    await refuses(fetchFrom(endpoint.url, "https_web"), "endpoint_untrusted");
  });

  it("F-23 shows no certificate to an endpoint that asks for one", async () => {
    let shown: unknown;
    await using endpoint = await web(
      (request, response) => {
        shown = (request.socket as TLSSocket).getPeerX509Certificate();
        good(request, response);
      },
      { requestCert: true, rejectUnauthorized: false },
    );
    await accepts(fetchFrom(endpoint.url, "https_web"));
    assert.equal(shown, undefined);
  });
});

describe("Federation 5.2.2: https_spiffe", () => {
  it("F-30 takes a bundle from the expected ID, whatever the host", async () => {
    await using endpoint = await spiffe();
    await accepts(fetchFrom(endpoint.url, "https_spiffe"));
  });

  it("F-31 refuses another ID of the same trust domain", async () => {
    await using endpoint = await spiffe(good, "spiffe://partner.test/other");
    await refuses(fetchFrom(endpoint.url, "https_spiffe"), "endpoint_untrusted");
    assert.deepEqual(endpoint.asked, []);
  });

  it("F-31 refuses the same path of another trust domain", async () => {
    const other = domainAuthority("other.test");
    const id = "spiffe://other.test/spire/server";
    await using endpoint = await ForeignEndpoint.open(endpointSvid(other, id), good);
    await refuses(fetchFrom(endpoint.url, "https_spiffe"), "endpoint_untrusted");
  });

  it("F-32 refuses a certificate of the Web", async () => {
    await using endpoint = await web();
    await refuses(fetchFrom(endpoint.url, "https_spiffe"), "endpoint_untrusted");
  });

  it("F-33 follows a redirect to the same ID, and to no other", async () => {
    await using same = await spiffe();
    await using other = await spiffe(good, "spiffe://partner.test/other");
    await using endpoint = await spiffe(redirecting(same.url));
    await accepts(fetchFrom(endpoint.url, "https_spiffe"));
    endpoint.respond = redirecting(other.url);
    await refuses(fetchFrom(endpoint.url, "https_spiffe"), "endpoint_untrusted");
    assert.deepEqual(other.asked, []);
  });

  it("F-34 does not follow to an endpoint of the Web", async () => {
    await using other = await web();
    await using endpoint = await spiffe(redirecting(other.url));
    await refuses(fetchFrom(endpoint.url, "https_spiffe"), "endpoint_untrusted");
  });

  it("F-35 does not follow to http", async () => {
    await using endpoint = await spiffe(redirecting("http://127.0.0.1:1/"));
    await refuses(fetchFrom(endpoint.url, "https_spiffe"), "endpoint_redirect");
  });

  it("F-36 refuses a URL with user information", () => {
    assert.throws(() => parseEndpointUrl("https://user@partner.test/"), /user information/);
  });

  it("F-38 authenticates an endpoint of another trust domain by that one's bundle", async () => {
    const other = domainAuthority("other.test");
    const id = "spiffe://other.test/endpoint";
    await using endpoint = await ForeignEndpoint.open(endpointSvid(other, id), good);
    const bundles = new BundleSet([
      new Bundle(TrustDomain.parse("other.test"), { x509Authorities: [other.certificate] }),
    ]);
    await accepts(fetchFrom(endpoint.url, "https_spiffe", { endpointId: id, bundles }));
  });

  it("F-38b does not connect while that bundle is not known", async () => {
    await using endpoint = await spiffe();
    const asking = { bundles: new BundleSet() };
    await refuses(fetchFrom(endpoint.url, "https_spiffe", asking), "endpoint_bundle_unknown");
    assert.deepEqual(endpoint.asked, []);
  });
});
