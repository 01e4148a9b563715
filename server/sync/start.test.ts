import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideStart, type HeldView, type ServerView, type Start } from "./start.ts";

const digest = new Uint8Array([1, 2, 3]);
const server: ServerView = {
  incarnation: "a",
  revision: 10n,
  authorizationDigest: digest,
  hasChangesAfter: (revision) => revision >= 5n,
};
const held = (revision: bigint, incarnation = "a", authorizationDigest = digest): HeldView => ({
  cursor: { incarnation, revision },
  authorizationDigest,
});

describe("decideStart", () => {
  const cases: readonly { name: string; held: HeldView; start: Start }[] = [
    { name: "a first connect", held: { authorizationDigest: new Uint8Array() }, start: "snapshot" },
    { name: "a place in the log", held: held(7n), start: "difference" },
    { name: "the newest place", held: held(10n), start: "difference" },
    { name: "a place below the log's floor", held: held(4n), start: "inventory" },
    { name: "a place that the server has not reached", held: held(11n), start: "inventory" },
    { name: "a place in another history", held: held(7n, "b"), start: "inventory" },
    {
      name: "other selectors, aliases or parents",
      held: held(7n, "a", new Uint8Array([9])),
      start: "inventory",
    },
    { name: "no digest", held: held(7n, "a", new Uint8Array()), start: "inventory" },
  ];
  for (const { name, held, start } of cases) {
    it(`${name}: ${start}`, () => assert.equal(decideStart(held, server), start));
  }
});
