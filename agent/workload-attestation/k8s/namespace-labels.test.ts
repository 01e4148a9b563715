import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../../test/fakes/recording-log.ts";
import { HttpsError } from "./bearer-https.ts";
import { NamespaceLabels } from "./namespace-labels.ts";

const item = (name: string, labels: object | undefined, version: string): object => ({
  metadata: { name, labels, resourceVersion: version },
});
const page = (version: string, next: string, ...items: readonly object[]): string =>
  JSON.stringify({ metadata: { resourceVersion: version, continue: next }, items });

function setUp() {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const asked: string[] = [];
  const pages: (string | Error)[] = [];
  let line = Promise.withResolvers<string | Error>();
  const labels = new NamespaceLabels({
    api: {
      text: async ({ path }) => {
        asked.push(path);
        const next = pages.shift() ?? new HttpsError("unreachable", "away");
        if (next instanceof Error) throw next;
        return next;
      },
      chunks: async function* ({ path }) {
        asked.push(path);
        for (;;) {
          const next = await line.promise;
          line = Promise.withResolvers();
          if (next instanceof Error) throw next;
          if (next === "") return;
          yield Buffer.from(next);
        }
      },
    },
    clock,
    random: new FakeRandom(),
    log: log.log,
  });
  const over = new AbortController();
  const running = labels.run(over.signal);
  /** What the watch says next; "" ends it. */
  const say = async (next: object | string | Error): Promise<void> => {
    const isText = typeof next === "string" || next instanceof Error;
    line.resolve(isText ? next : `${JSON.stringify(next)}\n`);
    await clock.advance(0);
    await clock.advance(0);
  };
  const begin = async (): Promise<void> => {
    void labels.until(() => false, over.signal);
    await clock.advance(0);
    await clock.advance(0);
  };
  const stop = async (): Promise<void> => {
    over.abort();
    await say(new Error("over"));
    await running;
  };
  return { clock, log, asked, pages, labels, say, begin, stop, signal: over.signal };
}

describe("NamespaceLabels", () => {
  it("asks nothing until somebody wants to know", async () => {
    const { clock, asked, labels, stop } = setUp();
    await clock.advance(60_000);
    assert.deepEqual(asked, []);
    assert.equal(labels.of("shop"), undefined);
    await stop();
  });

  it("lists in pages, then follows the watch", async () => {
    const { asked, pages, labels, begin, say, stop } = setUp();
    pages.push(
      page("7", "more", item("shop", { team: "a" }, "3")),
      page("7", "", item("bank", undefined, "4")),
    );
    await begin();
    assert.deepEqual([labels.of("shop"), labels.of("bank")], [{ team: "a" }, {}]);
    assert.match(asked[1] ?? "", /continue=more/);
    assert.match(asked[2] ?? "", /watch=1.*resourceVersion=7/);
    await say({ type: "MODIFIED", object: item("shop", { team: "b" }, "8") });
    assert.deepEqual(labels.of("shop"), { team: "b" });
    await say({ type: "DELETED", object: item("bank", {}, "9") });
    assert.equal(labels.of("bank"), undefined);
    await say({ type: "BOOKMARK", object: { metadata: { resourceVersion: "12" } } });
    await say("");
    assert.match(asked.at(-1) ?? "", /watch=1.*resourceVersion=12/);
    assert.equal(pages.length, 0);
    await stop();
  });

  it("wakes those who wait for a namespace", async () => {
    const { pages, labels, begin, say, stop, signal } = setUp();
    pages.push(page("7", ""));
    await begin();
    let isThere = false;
    const waiting = labels
      .until(() => labels.of("new") !== undefined, signal)
      .then(() => {
        isThere = true;
      });
    await say({ type: "ADDED", object: item("other", {}, "8") });
    assert.equal(isThere, false);
    await say({ type: "ADDED", object: item("new", {}, "9") });
    await waiting;
    assert.equal(isThere, true);
    await stop();
  });

  it("lists again when the watch cannot go on", async () => {
    const { clock, pages, labels, begin, say, stop } = setUp();
    pages.push(page("7", "", item("shop", { team: "a" }, "3")));
    await begin();
    pages.push(page("20", "", item("shop", { team: "c" }, "19")));
    await say({ type: "ERROR", object: { kind: "Status", code: 410 } });
    await clock.advance(1_000);
    assert.deepEqual(labels.of("shop"), { team: "c" });
    await stop();
  });

  it("believes what it knew for half a minute without the API server", async () => {
    const { clock, log, pages, labels, begin, say, stop } = setUp();
    pages.push(page("7", "", item("shop", { team: "a" }, "3")));
    await begin();
    await say(new HttpsError("unreachable", "gone"));
    await clock.advance(29_000);
    assert.deepEqual(labels.of("shop"), { team: "a" });
    await clock.advance(2_000);
    assert.equal(labels.of("shop"), undefined);
    assert.match(labels.problem ?? "", /^api_server_unreachable: /);
    assert.deepEqual(log.messages("warn"), ["Namespaces are not watched"]);
    pages.push(page("9", "", item("shop", { team: "a" }, "3")));
    await clock.advance(10_000);
    assert.deepEqual(labels.of("shop"), { team: "a" });
    assert.equal(labels.problem, undefined);
    await stop();
  });

  for (const answer of ["", "[]", "{}", page("", ""), page("7", "", { metadata: {} })]) {
    it(`survives a list like ${JSON.stringify(answer).slice(0, 40)}`, async () => {
      const { clock, pages, labels, begin, stop } = setUp();
      pages.push(answer);
      await begin();
      assert.match(labels.problem ?? "", /^api_server_failed: /);
      pages.push(page("7", "", item("shop", {}, "1")));
      await clock.advance(10_000);
      assert.deepEqual(labels.of("shop"), {});
      await stop();
    });
  }

  it("survives nonsense in a watch", async () => {
    const { clock, pages, labels, begin, say, stop } = setUp();
    pages.push(page("7", "", item("shop", {}, "1")));
    await begin();
    pages.push(page("8", "", item("shop", { team: "a" }, "8")));
    await say("nonsense\n");
    await clock.advance(1_000);
    assert.deepEqual(labels.of("shop"), { team: "a" });
    await stop();
  });
});
