import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { newEntry, selector } from "../../test/support/entries.ts";
import type { NewEntry } from "../store/contract/entries.ts";
import { AuthorizedEntries } from "./authorized-entries.ts";
import { explainEntries } from "./explain.ts";

const START = 1_772_366_400;
const SERVER = "spiffe://example.test/spire/server";
const AGENT = "spiffe://example.test/spire/agent/x509pop/one";
const OTHER = "spiffe://example.test/spire/agent/x509pop/two";

/** What is said of a workload with these selectors on AGENT, in the form "cause: id (what is missing)". */
async function explain(
  entries: readonly NewEntry[],
  selectors: readonly string[],
  passSeconds = 0,
): Promise<readonly string[]> {
  const clock = new FakeClock(new Date(START * 1000));
  using store = await MemoryStore.open(clock);
  await store.write("createEntries", { entries, now: START, actor: "test" });
  await clock.advance(passSeconds * 1000);
  await store.write("deleteExpiredEntries", { now: START + passSeconds, limit: 100 });
  const log = new RecordingLog().log;
  using authorization = await AuthorizedEntries.load({ store, serverId: SERVER, log });
  const { cause, near } = await explainEntries(
    { store, authorization, clock },
    { agentId: AGENT, selectors: selectors.map(selector) },
  );
  const lines = near.map(({ id, cause: why, missing }) => {
    const lacks = missing.map(({ type, value }) => ` ${type}:${value}`).join("");
    return `${why}: ${id}${lacks}`;
  });
  return [cause, ...lines];
}

function entry(id: string, parentId: string, ...selectors: readonly string[]): NewEntry {
  return newEntry(id, { parentId, selectors: selectors.map(selector) });
}

describe("explainEntries", () => {
  it("names the entries that grant an identity", async () => {
    const entries = [
      entry("web", AGENT, "unix:uid:1000"),
      entry("db", AGENT, "unix:uid:1000", "unix:gid:1"),
    ];
    assert.deepEqual(await explain(entries, ["unix:uid:1000"]), ["granted", "granted: web"]);
  });

  it("says so when nothing comes near", async () => {
    const entries = [entry("web", AGENT, "unix:uid:1000")];
    assert.deepEqual(await explain(entries, ["unix:uid:2000"]), ["no_entry"]);
  });

  it("names what is missing, nearest entry first", async () => {
    const entries = [
      entry("far", AGENT, "unix:uid:1000", "unix:gid:1", "unix:path:/bin/a"),
      entry("near", AGENT, "unix:uid:1000", "unix:path:/bin/a"),
    ];
    assert.deepEqual(await explain(entries, ["unix:uid:1000", "unix:gid:2"]), [
      "selector_missing",
      "selector_missing: near unix:path:/bin/a",
      "selector_missing: far unix:gid:1 unix:path:/bin/a",
    ]);
  });

  it("finds an entry that would match under another parent", async () => {
    const entries = [
      entry("elsewhere", OTHER, "unix:uid:1000"),
      entry("own", AGENT, "unix:uid:1000", "unix:gid:1", "unix:path:/bin/a"),
    ];
    assert.deepEqual(await explain(entries, ["unix:uid:1000"]), [
      "wrong_parent",
      "wrong_parent: elsewhere",
      "selector_missing: own unix:gid:1 unix:path:/bin/a",
    ]);
  });

  it("prefers the agent's own entry when as much is wrong with it", async () => {
    const entries = [
      entry("elsewhere", OTHER, "unix:uid:1000"),
      entry("own", AGENT, "unix:uid:1000", "unix:gid:1"),
    ];
    assert.deepEqual((await explain(entries, ["unix:uid:1000"]))[0], "selector_missing");
  });

  it("remembers an entry that has expired", async () => {
    const entries = [
      { ...entry("short", AGENT, "unix:uid:1000"), expiresAt: START + 60 },
      { ...entry("other", OTHER, "unix:uid:1000"), expiresAt: START + 60 },
      entry("own", AGENT, "unix:uid:1000", "unix:gid:1"),
    ];
    assert.deepEqual(await explain(entries, ["unix:uid:1000"], 61), [
      "entry_expired",
      "entry_expired: short",
      "selector_missing: own unix:gid:1",
    ]);
  });
});
