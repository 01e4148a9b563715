// The client library with foreign bundles that come with limits, over a real socket.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CachedBundle } from "../../agent/cache/bundle-cache.ts";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import {
  FederationLimits,
  type FederationTerms,
  IdPattern,
  JwtSource,
  TrustDomain,
  verifyX509Svid,
  WorkloadBundleSource,
  X509Source,
} from "../../spiffe/client.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { domainAuthority, endpointSvid } from "../support/foreign-endpoint.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import { secondsFromNow, testKey, testNow } from "../support/test-ca.ts";
import { makeToken, signed } from "../support/test-token.ts";
import { clockAtTestNow, WorkloadMachine } from "../support/workload-machine.ts";

const partner = TrustDomain.parse("partner.test");
const root = domainAuthority("partner.test");
const key = testKey();

const foreignBundle = (terms: FederationTerms): ReadonlyMap<string, CachedBundle> =>
  new Map([
    [
      "partner.test",
      new CachedBundle(
        create(BundleSchema, {
          trustDomain: "partner.test",
          x509Authorities: [{ asn1: root.der }],
          jwtAuthorities: [
            { keyId: "p1", publicKey: key.publicKey.export({ format: "der", type: "spki" }) },
          ],
        }),
        new FederationLimits(terms),
      ),
    ],
  ]);

const chainOf = (path: string): readonly Certificate[] => [
  Certificate.parse(endpointSvid(root, `spiffe://partner.test${path}`).der),
];

function tokenOf(path: string, ...aud: readonly string[]): string {
  const exp = secondsFromNow(300).getTime() / 1000;
  const claims = { sub: `spiffe://partner.test${path}`, aud, exp };
  return makeToken({ alg: "ES256", kid: "p1" }, claims, signed("ES256", key.privateKey));
}

const payments: FederationTerms = {
  idPatterns: [IdPattern.parse("/payments/*")],
  audiences: ["billing"],
};

async function machineWith(terms: FederationTerms): Promise<WorkloadMachine> {
  const machine = await WorkloadMachine.open();
  machine.views.grant("/web");
  machine.views.set({ limitedBundles: foreignBundle(terms) });
  return machine;
}

describe("the client library, of limited bundles", () => {
  it("verifies peers within the limits, and no others", async () => {
    await using machine = await machineWith(payments);
    const { address } = machine;
    await using source = await X509Source.open({ address, clock: clockAtTestNow });
    await using bundles = await WorkloadBundleSource.open({ address, clock: clockAtTestNow });
    for (const each of [source, bundles]) {
      verifyX509Svid(chainOf("/payments/api"), each, testNow);
      assert.throws(
        () => verifyX509Svid(chainOf("/web"), each, testNow),
        spiffeRefused("federation_id"),
      );
    }
  });

  it("verifies tokens within the limits, and no others", async () => {
    await using machine = await machineWith(payments);
    const { address } = machine;
    await using source = await JwtSource.open({ address, clock: clockAtTestNow });
    await source.verify(tokenOf("/payments/api", "billing"), ["billing"]);
    await source.verify(tokenOf("/payments/api", "x", "billing"), ["x", "billing"]);
    await assert.rejects(
      source.verify(tokenOf("/web", "billing"), ["billing"]),
      spiffeRefused("federation_id"),
    );
    await assert.rejects(
      source.verify(tokenOf("/payments/api", "shop"), ["shop"]),
      spiffeRefused("federation_audience"),
    );
  });

  it("keeps to limits that change, also those of bundles that it may have by themselves", async () => {
    await using machine = await machineWith(payments);
    await using source = await X509Source.open({ address: machine.address, clock: clockAtTestNow });
    machine.views.set({
      limitedBundles: new Map(),
      federatedBundles: foreignBundle({ idPatterns: [IdPattern.parse("/web")] }),
    });
    await eventually("the new limits", async () =>
      source.limitsFor(partner)?.admitsId({ path: "/web" }) ? true : undefined,
    );
    verifyX509Svid(chainOf("/web"), source, testNow);
    assert.throws(
      () => verifyX509Svid(chainOf("/payments/api"), source, testNow),
      spiffeRefused("federation_id"),
    );
  });

  it("trusts a trust domain no longer than its relationship", async () => {
    await using machine = await machineWith({ any: true, endsAt: secondsFromNow(60) });
    await using source = await X509Source.open({ address: machine.address, clock: clockAtTestNow });
    verifyX509Svid(chainOf("/any"), source, secondsFromNow(59));
    assert.throws(
      () => verifyX509Svid(chainOf("/any"), source, secondsFromNow(60)),
      spiffeRefused("federation_ended"),
    );
  });
});
