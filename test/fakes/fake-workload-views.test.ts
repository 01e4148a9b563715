import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeBundle } from "../../proto/convert/bundle.ts";
import { verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import { testNow } from "../support/test-ca.ts";
import { FakeWorkloadViews } from "./fake-workload-views.ts";

describe("FakeWorkloadViews", () => {
  it("hands out credentials that its bundle verifies", async () => {
    const views = new FakeWorkloadViews();
    views.grant("/web");
    const { identities, bundle } = views.openX509({
      selectors: [],
      instance: { uid: 0, process: "" },
    }).feed.value;
    assert.ok(bundle && identities[0]);
    const bundles = decodeBundle("bundle", bundle.wire);
    const chain = parseConcatenatedCertificates(identities[0].certificateChainDer);
    assert.equal(`${verifyX509Svid(chain, bundles, testNow).id}`, "spiffe://td.test/web");
    const token = views.token("spiffe://td.test/web", ["a"]);
    assert.equal(
      `${(await verifyJwtSvid(token, bundles, ["a"], testNow)).id}`,
      "spiffe://td.test/web",
    );
  });

  it("raises the version with each change", () => {
    const views = new FakeWorkloadViews();
    const { feed } = views.openEntries({ selectors: [], instance: { uid: 0, process: "" } });
    const before = feed.value.version;
    views.grant("/web");
    assert.ok(feed.value.version > before);
  });
});
