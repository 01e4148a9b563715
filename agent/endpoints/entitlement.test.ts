import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { Feed } from "../../runtime/feed.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import type { WorkloadIdentity, WorkloadView } from "../cache/workload-view.ts";
import { entitledViews } from "./entitlement.ts";

const entry = { entryId: "e1", spiffeId: "spiffe://td.test/w", hint: "", allowedAudiences: [] };
const identity: WorkloadIdentity = {
  entryId: "e1",
  spiffeId: "spiffe://td.test/w",
  hint: "",
  serialNumber: "01",
  certificateChainDer: new Uint8Array(),
  privateKeyPkcs8: new Uint8Array(),
  expiresAt: new Date("2030-01-01T00:00:00Z"),
  federatesWith: [],
};

let version = 0;
function view(changes: Partial<WorkloadView>): WorkloadView {
  version += 1;
  return {
    version,
    serving: "ready",
    identities: [],
    entries: [],
    pending: 0,
    bundle: undefined,
    federatedBundles: new Map(),
    limitedBundles: new Map(),
    ...changes,
  };
}
const nothing = (): WorkloadView => view({});
const ordered = (): WorkloadView => view({ entries: [entry], pending: 1 });
const answer = (): WorkloadView => view({ entries: [entry], identities: [identity] });

/** A call for X509-SVIDs over a feed that the test changes. */
class Story {
  readonly clock = new FakeClock();
  readonly feed: Feed<WorkloadView>;
  readonly refused: WorkloadView[] = [];
  readonly held: boolean[] = [];
  readonly #call = new AbortController();
  readonly #views: AsyncGenerator<WorkloadView>;

  constructor(first: WorkloadView, waitMs = 0) {
    this.feed = new Feed(first);
    this.#views = entitledViews(
      {
        feed: this.feed,
        clock: this.clock,
        waitMs: () => waitMs,
        isAnswer: (each) => each.identities.length > 0,
        onRefused: (each) => this.refused.push(each),
        onHeld: (isServed) => this.held.push(isServed),
      },
      this.#call.signal,
    );
  }

  async next(): Promise<WorkloadView | undefined> {
    const { value } = await this.#views.next();
    return value;
  }

  async isRefused(code: number, reason: string): Promise<void> {
    await assert.rejects(this.next(), (err) => {
      assert.ok(err instanceof StatusError);
      assert.deepEqual([err.code, err.reason], [code, reason]);
      return true;
    });
  }

  cancel(): void {
    this.#call.abort();
  }
}

describe("entitledViews", () => {
  it("answers at once what is there", async () => {
    const story = new Story(answer());
    assert.equal(await story.next(), story.feed.value);
  });

  it("refuses a caller without an entry at once when there is nothing to wait for", async () => {
    const story = new Story(nothing());
    await story.isRefused(Status.PERMISSION_DENIED, "no_identity");
    assert.equal(story.refused.length, 1);
    assert.deepEqual(story.held, []);
  });

  it("holds a caller whose entry may be on its way, and answers when it comes", async () => {
    const story = new Story(nothing(), 800);
    const next = story.next();
    await story.clock.advance(500);
    const arrived = answer();
    story.feed.set(arrived);
    assert.equal(await next, arrived);
    assert.deepEqual(story.held, [true]);
  });

  it("refuses when the hold is over", async () => {
    const story = new Story(nothing(), 800);
    const refused = story.isRefused(Status.PERMISSION_DENIED, "no_identity");
    await story.clock.advance(801);
    await refused;
    assert.deepEqual(story.held, [false]);
  });

  it("waits for a signature that is on its way, whatever the hold", async () => {
    const story = new Story(ordered());
    const next = story.next();
    await story.clock.advance(2_000);
    const arrived = answer();
    story.feed.set(arrived);
    assert.equal(await next, arrived);
  });

  it("answers UNAVAILABLE when nothing could be signed in time", async () => {
    const story = new Story(ordered());
    const refused = story.isRefused(Status.UNAVAILABLE, "issuance_pending");
    await story.clock.advance(5_001);
    await refused;
  });

  const states = [
    { serving: "starting", code: Status.UNAVAILABLE, reason: "agent_starting" },
    { serving: "offline_too_long", code: Status.UNAVAILABLE, reason: "offline" },
    { serving: "banned", code: Status.PERMISSION_DENIED, reason: "no_identity" },
  ] as const;
  for (const { serving, code, reason } of states) {
    it(`answers ${reason} when the agent is ${serving}`, () =>
      new Story(view({ serving, entries: [entry], identities: [identity] })).isRefused(
        code,
        reason,
      ));
  }

  it("ends an open stream when the identity is withdrawn", async () => {
    const story = new Story(answer());
    await story.next();
    story.feed.set(nothing());
    await story.isRefused(Status.PERMISSION_DENIED, "no_identity");
  });

  it("writes each version once", async () => {
    const story = new Story(answer());
    await story.next();
    const next = story.next();
    story.feed.set({ ...story.feed.value, pending: 1 });
    await Promise.resolve();
    const renewed = answer();
    story.feed.set(renewed);
    assert.equal(await next, renewed);
  });

  it("ends quietly when the caller goes away", async () => {
    const story = new Story(nothing(), 800);
    const next = story.next();
    story.cancel();
    assert.equal(await next, undefined);
    assert.equal(story.refused.length, 0);
  });
});
