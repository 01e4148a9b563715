import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { IdPattern } from "../id/id-pattern.ts";
import { SpiffeId } from "../id/spiffe-id.ts";
import { FederationLimits } from "./federation-limits.ts";

const now = new Date("2026-01-01T00:00:00Z");
const id = (path: string): SpiffeId => SpiffeId.parse(`spiffe://partner.test${path}`);

describe("FederationLimits", () => {
  it("admit nothing that is not named", () => {
    const none = new FederationLimits({});
    assert.equal(none.isAny, false);
    assert.equal(none.admitsId(id("/a")), false);
    assert.equal(none.admitsAudience("billing"), false);
  });

  it("admit what their patterns and audiences name", () => {
    const limits = new FederationLimits({
      idPatterns: [IdPattern.parse("/payments/*"), IdPattern.parse("/audit/**")],
      audiences: ["billing"],
    });
    assert.equal(limits.admitsId(id("/payments/api")), true);
    assert.equal(limits.admitsId(id("/payments/api/admin")), false);
    assert.equal(limits.admitsId(id("")), false);
    assert.equal(limits.admitsAudience("billing"), true);
    assert.equal(limits.admitsAudience("*"), false);
    limits.check(id("/audit/a/b"), now, "billing");
    assert.throws(() => limits.check(id("/web"), now), spiffeRefused("federation_id"));
    assert.throws(
      () => limits.check(id("/payments/api"), now, "shop"),
      spiffeRefused("federation_audience"),
    );
  });

  it("admit every audience by a star, and everything by any alone", () => {
    const starred = new FederationLimits({
      idPatterns: [IdPattern.parse("/**")],
      audiences: ["*"],
    });
    starred.check(id("/web"), now, "whatever");
    assert.equal(starred.isAny, false);
    FederationLimits.ANY.check(id(""), now, "whatever");
    assert.throws(() => new FederationLimits({ any: true, audiences: ["billing"] }), TypeError);
  });

  it("admit nothing from their end on", () => {
    const ending = new FederationLimits({ any: true, endsAt: now });
    ending.check(id("/web"), new Date(now.getTime() - 1));
    assert.throws(() => ending.check(id("/web"), now), spiffeRefused("federation_ended"));
  });

  it("are equal when they say the same", () => {
    const make = (owner: string): FederationLimits =>
      new FederationLimits({ idPatterns: [IdPattern.parse("/a")], endsAt: now, owner });
    assert.equal(make("pay").equals(make("pay")), true);
    assert.equal(make("pay").equals(make("shop")), false);
    assert.equal(make("pay").equals(FederationLimits.ANY), false);
  });
});
