import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type FetchFederatedBundlesResponse,
  FetchFederatedBundlesResponseSchema,
} from "../../proto/gen/assay/workload/v1/federation_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { TrustDomain } from "../id/trust-domain.ts";
import { FederatedBundles } from "./federated-bundles.ts";

const partner = TrustDomain.parse("partner.test");
const EMPTY_JWKS = Buffer.from('{"keys":[]}');

function options(problems: Error[] = []) {
  return {
    address: undefined,
    environmentValue: undefined,
    signal: new AbortController().signal,
    onProblem: (err: Error) => problems.push(err),
    clock: new FakeClock(),
    random: new FakeRandom(),
  };
}

const answers = (...limits: readonly object[]) => ({
  async *federatedBundles(signal: AbortSignal): AsyncGenerator<FetchFederatedBundlesResponse> {
    for (const each of limits) {
      const bundle = { limits: each, jwtAuthorities: EMPTY_JWKS };
      const init: MessageInitShape<typeof FetchFederatedBundlesResponseSchema> = {
        bundles: [bundle],
      };
      yield create(FetchFederatedBundlesResponseSchema, init);
    }
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
});

describe("FederatedBundles", () => {
  it("do without on an agent that knows of no limits", async () => {
    const client = {
      // biome-ignore lint/correctness/useYield: it fails before its first message
      async *federatedBundles(): AsyncGenerator<FetchFederatedBundlesResponse> {
        throw new StatusError(Status.UNIMPLEMENTED, "unknown service");
      },
    };
    await using bundles = await FederatedBundles.open(client, options());
    assert.equal(bundles.bundleFor(partner), undefined);
    assert.equal(bundles.limitsFor(partner), undefined);
  });

  it("wait no longer than until the first failure", async () => {
    const problems: Error[] = [];
    const client = {
      // biome-ignore lint/correctness/useYield: it fails before its first message
      async *federatedBundles(): AsyncGenerator<FetchFederatedBundlesResponse> {
        throw new StatusError(Status.UNAVAILABLE, "away");
      },
    };
    await using _ = await FederatedBundles.open(client, options(problems));
    assert.equal(problems.length, 1);
  });

  it("pass over a message whose limits make no sense, and keep what they had", async () => {
    const problems: Error[] = [];
    const good = { trustDomain: "partner.test", audiences: ["billing"] };
    for (const bad of [
      { trustDomain: "partner.test", any: true, audiences: ["billing"] },
      { trustDomain: "partner.test", idPatterns: ["no-slash"] },
      { trustDomain: "Not A Name", any: true },
      { trustDomain: "partner.test", any: true, endsAt: -(2n ** 63n) },
      { trustDomain: "partner.test", any: true, endsAt: 2n ** 63n - 1n },
    ]) {
      await using bundles = await FederatedBundles.open(answers(good, bad), options(problems));
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(bundles.limitsFor(partner)?.admitsAudience("billing"), true);
      assert.equal(bundles.limitsFor(partner)?.isAny, false);
    }
    assert.equal(problems.length, 5);
  });
});
