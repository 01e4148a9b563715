import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { FakeWorkloadViews } from "../../test/fakes/fake-workload-views.ts";
import { secondsFromNow, testKey, testNow } from "../../test/support/test-ca.ts";
import { makeToken, signed } from "../../test/support/test-token.ts";
import { CachedBundle } from "../cache/bundle-cache.ts";
import type { WorkloadView } from "../cache/workload-view.ts";
import { validateJwtSvid } from "./validate-jwt-svid.ts";

const key = testKey();
const limits = new FederationLimits({
  idPatterns: [IdPattern.parse("/payments/*")],
  audiences: ["billing"],
});
const partner = new CachedBundle(
  create(BundleSchema, {
    trustDomain: "partner.test",
    jwtAuthorities: [
      { keyId: "p1", publicKey: key.publicKey.export({ format: "der", type: "spki" }) },
    ],
  }),
  limits,
);

function token(path: string, aud: string): string {
  const exp = secondsFromNow(300).getTime() / 1000;
  const claims = { sub: `spiffe://partner.test${path}`, aud, exp };
  return makeToken({ alg: "ES256", kid: "p1" }, claims, signed("ES256", key.privateKey));
}

function viewWith(change: Partial<WorkloadView>): WorkloadView {
  const views = new FakeWorkloadViews();
  views.set(change);
  return views.openEntries({ selectors: [], instance: { uid: 1, process: "1@1" } }).feed.value;
}

describe("validateJwtSvid, of a trust domain with limits", () => {
  const held = new Map([["partner.test", partner]]);
  const places: readonly (readonly [name: string, view: WorkloadView])[] = [
    ["a limited bundle", viewWith({ limitedBundles: held })],
    ["a bundle that is handed out by itself", viewWith({ federatedBundles: held })],
  ];
  for (const [name, view] of places) {
    it(`accepts what is within them, by ${name}`, async () => {
      const svid = token("/payments/api", "billing");
      const { spiffeId } = await validateJwtSvid(svid, "billing", view, testNow);
      assert.equal(spiffeId, "spiffe://partner.test/payments/api");
    });

    it(`refuses another ID, by ${name}`, async () => {
      const validating = validateJwtSvid(token("/web", "billing"), "billing", view, testNow);
      await assert.rejects(validating, { code: 3, reason: "federation_id" });
    });

    it(`refuses another audience, by ${name}`, async () => {
      const validating = validateJwtSvid(token("/payments/api", "shop"), "shop", view, testNow);
      await assert.rejects(validating, { code: 3, reason: "federation_audience" });
    });
  }
});
