import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { SpiffeId } from "../id/spiffe-id.ts";
import type { JwtSvid } from "../svid/jwt-svid.ts";
import { keepToken } from "./token-keeper.ts";

const subject = SpiffeId.parse("spiffe://td.test/web");

function tokenOf(id: number, clock: FakeClock): JwtSvid {
  return {
    id: subject,
    audience: ["a"],
    expiresAt: new Date(clock.now().getTime() + 300_000),
    issuedAt: undefined,
    notBefore: undefined,
    keyId: undefined,
    claims: {},
    token: `token-${id}`,
  };
}

describe("keepToken", () => {
  it("renews at about half of the life, and tries again after a failure", async () => {
    const clock = new FakeClock();
    const tokens: string[] = [];
    const problems: Error[] = [];
    let calls = 0;
    const fetch = async (): Promise<JwtSvid> => {
      calls += 1;
      if (calls === 2) throw new Error("away");
      return tokenOf(calls, clock);
    };
    const stop = new AbortController();
    const running = keepToken(
      { fetch, onProblem: (err) => problems.push(err), clock, random: new FakeRandom() },
      { audience: ["a"], subject, onToken: ({ token }) => tokens.push(token) },
      stop.signal,
    );
    await clock.whenSleeping();
    assert.deepEqual(tokens, ["token-1"]);
    await clock.advance(130_000);
    assert.equal(calls, 1);
    await clock.advance(40_000);
    assert.equal(calls >= 3, true);
    assert.deepEqual(tokens, ["token-1", "token-3"]);
    assert.deepEqual(
      problems.map(({ message }) => message),
      ["away"],
    );
    stop.abort();
    await running;
  });

  it("does not ask without end for a token that has ended already", async () => {
    const clock = new FakeClock();
    let calls = 0;
    const fetch = async (): Promise<JwtSvid> => {
      calls += 1;
      return { ...tokenOf(calls, clock), expiresAt: clock.now() };
    };
    const stop = new AbortController();
    const running = keepToken(
      { fetch, onProblem: () => {}, clock, random: new FakeRandom() },
      { audience: ["a"], subject, onToken: () => {} },
      stop.signal,
    );
    await clock.whenSleeping();
    await clock.advance(10_000);
    assert.equal(calls <= 11, true);
    stop.abort();
    await running;
  });
});
