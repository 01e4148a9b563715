import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { CaWorld } from "../../test/support/ca-world.ts";

describe("signX509Svids", () => {
  for (const threads of [0, 2]) {
    it(`signs what verifies against the bundle, with ${threads} threads`, async () => {
      await using world = await CaWorld.open({ threads });
      const orders = Array.from({ length: 40 }, (_, n) => world.workloadOrder(`/w/${n}`));
      const results = await world.ca.signX509Svids(world.agentCall, orders);
      for (const [index, result] of results.entries()) {
        assert.ok(result.issued);
        const chain = result.svid.chainDer.map((der) => Certificate.parse(der));
        const verified = verifyX509Svid(chain, world.bundle.feed.value, world.clock.now());
        assert.equal(verified.id.toString(), `spiffe://a.test/w/${index}`);
        assert.equal(chain[0]?.serialNumberHex, result.svid.serialNumberHex);
      }
    });
  }
});
