import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { selfFacts } from "../../test/support/self-facts.ts";
import type { AccountNames } from "./account-names.ts";
import { ExecutableDigests } from "./executable.ts";
import { UnixAttestor, type UnixAttestorDeps } from "./unix.ts";

const signal = new AbortController().signal;
const names: AccountNames = {
  user: async (uid) => `user${uid}`,
  group: async (gid) => (gid === 7 ? undefined : `group${gid}`),
};

function attestor(changes: Partial<UnixAttestorDeps> = {}): UnixAttestor {
  const digests = new ExecutableDigests(1_000_000_000);
  return new UnixAttestor({ names, digests, isWanted: () => true, hostRoot: "/", ...changes });
}

function values(selectors: readonly { type: string; value: string }[]): string[] {
  assert.ok(selectors.every((s) => s.type === "unix"));
  return selectors.map((s) => s.value);
}

describe("UnixAttestor", () => {
  it("finds every selector of a process on the host", async () => {
    const facts = { ...selfFacts(), uid: 5, gid: 6, supplementaryGids: [7, 8] };
    const found = await attestor().attest(facts, signal);
    const [digest] = values(found.selectors).slice(-1);
    assert.match(digest ?? "", /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(values(found.selectors).slice(0, -1), [
      "uid:5",
      "gid:6",
      "supplementary_gid:7",
      "supplementary_gid:8",
      "user:user5",
      "group:group6",
      "supplementary_group:group8",
      `path:${process.execPath}`,
    ]);
    assert.deepEqual(found.undecided, []);
  });

  it("does not hash programs that no entry asks for", async () => {
    const found = await attestor({ isWanted: () => false }).attest(selfFacts(), signal);
    assert.ok(!values(found.selectors).some((value) => value.startsWith("sha256:")));
    assert.deepEqual(found.undecided, []);
  });

  it("leaves the digest undecided when the program is over the limit", async () => {
    const found = await attestor({ digests: new ExecutableDigests(1) }).attest(selfFacts(), signal);
    const [undecided] = found.undecided;
    assert.deepEqual(undecided?.prefixes, ["sha256:"]);
    assert.equal(undecided?.transient, true);
  });

  it("keeps the rest when names cannot be looked up", async () => {
    const broken: AccountNames = { ...names, user: () => Promise.reject(new Error("no passwd")) };
    const found = await attestor({ names: broken }).attest(selfFacts(), signal);
    assert.ok(values(found.selectors).includes(`uid:${selfFacts().uid}`));
    assert.deepEqual(found.undecided, [
      { type: "unix", prefixes: ["user:"], reason: "no passwd", transient: true },
    ]);
  });
});
