import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { rm } from "node:fs/promises";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { FakeAuditLog } from "../../test/fakes/fake-audit-log.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { CaWorld } from "../../test/support/ca-world.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { appendKey } from "../bundle/bundle-change.ts";
import { DiskKeyManager } from "../keymanager/disk-key-manager.ts";
import { MemoryKeyManager } from "../keymanager/memory-key-manager.ts";
import { LocalAuthority } from "./local-authority.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function states(world: CaWorld): Promise<readonly string[]> {
  return world.authorities.list("x509").map(({ state }) => state);
}

async function sign(world: CaWorld): Promise<readonly Certificate[]> {
  const [result] = await world.ca.signX509Svids(world.agentCall, [world.workloadOrder("/a")]);
  assert.ok(result?.issued);
  return result.svid.chainDer.map((der) => Certificate.parse(der));
}

describe("Authorities", () => {
  it("makes an X.509 and a JWT authority at the first start, and publishes them", async () => {
    await using world = await CaWorld.open();
    assert.deepEqual(await states(world), ["active"]);
    const { x509Authorities, jwtAuthorities, sequence } = world.bundle.feed.value;
    assert.equal(x509Authorities.length, 1);
    const { jwt, x509 } = world.authorities.active.value;
    assert.deepEqual([...jwtAuthorities.keys()], [jwt?.id]);
    assert.equal(sequence, 2n);
    const [root] = x509Authorities;
    assert.ok(root !== undefined);
    assert.ok(root.isSignedBy(root.publicKey) && root.isCa && root.pathLength === undefined);
    assert.deepEqual(root.uriSans, ["spiffe://a.test"]);
    assert.equal(Buffer.from(root.subjectKeyId ?? []).toString("hex"), x509?.id);
  });

  it("states each change in the audit before it is made", async () => {
    await using world = await CaWorld.open();
    const lines = world.audit.lines.map(({ phase, action }) => `${phase} ${action}`);
    assert.deepEqual(lines.slice(0, 4), [
      "intent authority.prepare",
      "outcome authority.prepare",
      "intent authority.activate",
      "outcome authority.activate",
    ]);
    world.audit.setWritable(false);
    const keys = world.keys.list().length;
    await assert.rejects(world.authorities.prepare({ kind: "x509", keyType: "ec-p256" }), {
      reason: "audit_unavailable",
    });
    assert.equal(world.keys.list().length, keys);
  });

  it("has the same authorities after a restart", async () => {
    await using dir = await TempDir.open();
    const store = await MemoryStore.open();
    const open = async (seed: string) => {
      const keys = await DiskKeyManager.open(dir.join("keys"));
      return CaWorld.open({ store, keys, seed });
    };
    await using first = await open("first");
    const chain = await sign(first);
    await using second = await open("second");
    const ids = (world: CaWorld) => {
      const { x509, jwt } = world.authorities.active.value;
      return [x509?.id, jwt?.id];
    };
    assert.deepEqual(ids(second), ids(first));
    verifyX509Svid(chain, second.bundle.feed.value, second.clock.now());
    verifyX509Svid(await sign(second), first.bundle.feed.value, first.clock.now());
  });

  it("replaces an authority whose key is gone, and keeps what it signed valid", async () => {
    await using dir = await TempDir.open();
    const store = await MemoryStore.open();
    await using first = await CaWorld.open({ store, keys: await DiskKeyManager.open(dir.path) });
    const chain = await sign(first);
    const [record] = first.authorities.list("x509");
    await rm(dir.join(`${record?.keyRef}.pem`));
    const keys = await DiskKeyManager.open(dir.path);
    await using second = await CaWorld.open({ store, keys, seed: "second" });
    assert.deepEqual(await states(second), ["old", "active"]);
    const warnings = second.recording.messages("warn");
    assert.deepEqual(warnings, ["Key of an authority is missing, it will be replaced"]);
    verifyX509Svid(chain, second.bundle.feed.value, second.clock.now());
    verifyX509Svid(await sign(second), second.bundle.feed.value, second.clock.now());
  });

  it("does not start with a key that is another authority's", async () => {
    await using dir = await TempDir.open();
    const store = await MemoryStore.open();
    await using first = await CaWorld.open({ store, keys: await DiskKeyManager.open(dir.path) });
    const [record] = first.authorities.list("x509");
    assert.ok(record);
    await rm(dir.join(`${record.keyRef}.pem`));
    const keys = await DiskKeyManager.open(dir.path);
    await keys.generate(record.keyRef, "ec-p256");
    await assert.rejects(
      CaWorld.open({ store, keys }),
      /^Error: key x509-\w+ is not the key of x509 authority \w+: the key folder and the store do not/,
    );
  });

  it("changes nothing when the store fails, and leaves no key behind", async () => {
    await using world = await CaWorld.open();
    const before = world.keys.list().length;
    world.store.fault = { message: "disk I/O error", reason: "store_io" };
    await assert.rejects(world.authorities.prepare({ kind: "x509", keyType: "ec-p256" }), {
      code: Status.UNAVAILABLE,
    });
    assert.deepEqual(await states(world), ["active"]);
    assert.equal(world.keys.list().length, before);
    assert.equal(world.audit.lines.at(-1)?.facts.decision, "failed");
    world.store.fault = undefined;
    await world.authorities.prepare({ kind: "x509", keyType: "ec-p256" });
    assert.deepEqual(await states(world), ["active", "prepared"]);
  });
});

describe("AuthorityRotator", () => {
  it("always has an authority that signs for at least a sixth of its life, over months", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    await using world = await CaWorld.open({ clock });
    let shortestMs = Number.POSITIVE_INFINITY;
    for (let hours = 0; hours < 24 * 60; hours += 4) {
      await clock.advance(4 * HOUR_MS);
      await world.rotator.rotate();
      const { x509 } = world.authorities.active.value;
      assert.ok(x509);
      shortestMs = Math.min(shortestMs, x509.notAfter.getTime() - clock.now().getTime());
      const published = world.bundle.feed.value.x509Authorities;
      assert.ok(published.some((one) => one.equals(x509.certificate)));
      assert.ok(published.length <= 4, `${published.length} authorities in the bundle`);
    }
    assert.ok(shortestMs >= (7 * DAY_MS) / 6, `${shortestMs / HOUR_MS} hours`);
    assert.ok(world.authorities.list("x509").length <= 4);
    assert.ok(world.keys.list().length <= 4);
  });

  it("publishes an authority days before it signs", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    await using world = await CaWorld.open({ clock });
    const first = world.authorities.active.value.x509?.id;
    await clock.advance(3.5 * DAY_MS);
    await world.rotator.rotate();
    assert.equal(world.bundle.feed.value.x509Authorities.length, 2);
    assert.equal(world.authorities.active.value.x509?.id, first);
    await clock.advance(2.4 * DAY_MS);
    await world.rotator.rotate();
    assert.notEqual(world.authorities.active.value.x509?.id, first);
  });

  it("makes no storm of authorities when the clock jumps to and fro", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    await using world = await CaWorld.open({ clock });
    for (let jump = 0; jump < 50; jump++) {
      clock.jump((jump % 2 === 0 ? 1 : -1) * 400 * DAY_MS);
      await clock.advance(10_000);
      await world.rotator.rotate();
    }
    const made = world.authorities.list("x509").length;
    assert.ok(made <= 10, `${made} authorities in 500 seconds`);
    assert.equal(world.recording.messages("warn")[0], "Wall clock jumped");
  });

  it("takes no authority out of the bundle because the clock jumped ahead", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    await using world = await CaWorld.open({ clock });
    const chain = await sign(world);
    clock.jump(400 * DAY_MS);
    await world.rotator.rotate();
    clock.jump(-400 * DAY_MS);
    await world.rotator.rotate();
    verifyX509Svid(chain, world.bundle.feed.value, clock.now());
    verifyX509Svid(await sign(world), world.bundle.feed.value, clock.now());
  });

  it("goes on trying when a rotation fails", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    const audit = new FakeAuditLog();
    await using world = await CaWorld.open({ clock, audit });
    const stop = new AbortController();
    const running = world.rotator.run(stop.signal);
    // Each round ends when the loop sleeps again.
    const round = async (ms: number): Promise<void> => {
      await clock.whenSleeping();
      await clock.advance(ms);
      await clock.whenSleeping();
    };
    await round(60_000);
    audit.setWritable(false);
    clock.jump(3.6 * DAY_MS);
    await round(10_000);
    assert.deepEqual(await states(world), ["active"]);
    assert.ok(world.recording.messages("error").includes("Authority rotation failed"));
    audit.setWritable(true);
    await round(10_000);
    stop.abort();
    await running;
    assert.deepEqual(await states(world), ["active", "prepared"]);
  });
});

describe("LocalAuthority", () => {
  const cause = { requestId: "r1", source: "unix" };

  async function open(options: Parameters<typeof CaWorld.open>[0] = {}) {
    const world = await CaWorld.open(options);
    return { world, local: new LocalAuthority(world.authorities, world.bundle) };
  }

  it("leads an authority from prepared to revoked", async () => {
    const { world, local } = await open();
    const chain = await sign(world);
    const { active } = local.state("x509");
    const prepared = await local.prepare("x509", cause);
    assert.equal(local.state("x509").prepared?.authorityId, prepared.authorityId);
    await local.activate("x509", prepared.authorityId, cause);
    assert.deepEqual(local.state("x509").old, active);
    assert.ok(active);
    await local.taint("x509", active.authorityId, cause);
    assert.deepEqual(
      world.bundle.record.x509Authorities.map(({ tainted }) => tainted),
      [true, false],
    );
    verifyX509Svid(chain, world.bundle.feed.value, world.clock.now());
    await local.revoke("x509", active.authorityId, cause);
    assert.equal(world.bundle.record.x509Authorities.length, 1);
    assert.throws(() => verifyX509Svid(chain, world.bundle.feed.value, world.clock.now()));
    assert.equal(local.state("x509").old, undefined);
    assert.equal(world.audit.lines.at(-2)?.facts.requestId, "r1");
    await world[Symbol.asyncDispose]();
  });

  it("refuses what would leave nobody to sign, or names the wrong one", async () => {
    const { world, local } = await open();
    const { active } = local.state("jwt");
    const id = active?.authorityId ?? "";
    const prepared = await local.prepare("jwt", cause);
    const refusals: readonly (readonly [Promise<unknown>, string])[] = [
      [local.activate("jwt", id, cause), "unexpected authority ID"],
      [local.activate("jwt", "", cause), "unexpected authority ID"],
      [local.taint("jwt", id, cause), "unable to taint current local authority"],
      [local.taint("jwt", prepared.authorityId, cause), "unable to taint a prepared authority"],
      [local.taint("jwt", "", cause), "no authority ID provided"],
      [local.revoke("jwt", id, cause), "unable to revoke current local authority"],
      [local.revoke("jwt", "nobody", cause), "unexpected authority ID"],
      [local.revoke("x509", "nobody", cause), "unexpected authority ID"],
    ];
    for (const [refusal, message] of refusals) {
      await assert.rejects(refusal, { code: Status.INVALID_ARGUMENT, message });
    }
    await world[Symbol.asyncDispose]();
  });

  it("takes a prepared authority back when another one is prepared", async () => {
    const { world, local } = await open();
    await local.prepare("x509", cause);
    const second = await local.prepare("x509", cause);
    assert.equal(local.state("x509").prepared?.authorityId, second.authorityId);
    assert.equal(world.bundle.record.x509Authorities.length, 2);
    await world[Symbol.asyncDispose]();
  });

  it("revokes a token key that a nested server published", async () => {
    const { world, local } = await open();
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const publicKeyDer = publicKey.export({ format: "der", type: "spki" });
    const key = { keyId: "nested", publicKeyDer, expiresAt: 1_900_000_000, tainted: false };
    await world.bundle.change(appendKey("jwtAuthorities", key));
    assert.ok(world.bundle.feed.value.jwtAuthorities.has("nested"));
    const { authorityId } = await local.revoke("jwt", "nested", cause);
    assert.equal(authorityId, "nested");
    assert.ok(!world.bundle.feed.value.jwtAuthorities.has("nested"));
    await world[Symbol.asyncDispose]();
  });

  it("says which kinds there are not", async () => {
    const { world, local } = await open({ settings: { keyTypes: { x509: "ec-p256" } } });
    const message = "JWT functionality is disabled";
    assert.throws(() => local.state("jwt"), { code: Status.UNIMPLEMENTED, message });
    await world[Symbol.asyncDispose]();
  });
});

describe("Authorities of several algorithms", () => {
  const two = { jwtKeyTypes: ["ec-p256", "rsa-2048"] } as const;
  const jwts = (world: CaWorld): readonly string[] =>
    new LocalAuthority(world.authorities, world.bundle)
      .list()
      .filter(({ kind }) => kind === "jwt")
      .map(({ algorithm, state }) => `${algorithm} ${state}`)
      .toSorted();

  it("has one for each, all published; the first configured one is the default", async () => {
    await using world = await CaWorld.open(two);
    const { jwt, jwtByAlgorithm } = world.authorities.active.value;
    assert.deepEqual([...jwtByAlgorithm.keys()], ["ES256", "RS256"]);
    assert.equal(jwt?.algorithm, "ES256");
    const published = [...world.bundle.feed.value.jwtAuthorities.keys()];
    assert.deepEqual(
      published,
      [...jwtByAlgorithm.values()].map(({ id }) => id),
    );
    const { active } = new LocalAuthority(world.authorities, world.bundle).state("jwt");
    assert.equal(active?.authorityId, jwt.id);
  });

  it("lets each rotate by itself", async () => {
    await using world = await CaWorld.open(two);
    const local = new LocalAuthority(world.authorities, world.bundle);
    const { authorityId } = await local.prepare("jwt", {}, "RS256");
    assert.deepEqual(jwts(world), ["ES256 active", "RS256 active", "RS256 prepared"]);
    await local.prepare("jwt", {});
    await local.activate("jwt", authorityId, {});
    const now = ["ES256 active", "ES256 prepared", "RS256 active", "RS256 old"];
    assert.deepEqual(jwts(world), now);
    assert.equal(world.authorities.active.value.jwtByAlgorithm.get("RS256")?.id, authorityId);
    await assert.rejects(local.prepare("jwt", {}, "ES384"), /algorithm: there are no ES384/);
  });

  it("renews each by the schedule", async () => {
    await using world = await CaWorld.open(two);
    await world.clock.advance(4 * DAY_MS);
    await world.rotator.rotate();
    const prepared = jwts(world).filter((one) => one.endsWith("prepared"));
    assert.deepEqual(prepared, ["ES256 prepared", "RS256 prepared"]);
  });

  it("retires what is not configured any more, and keeps what it signed valid until its end", async () => {
    const store = await MemoryStore.open();
    const keys = new MemoryKeyManager();
    await using first = await CaWorld.open({ ...two, store, keys });
    const retired = first.authorities.active.value.jwt;
    await using second = await CaWorld.open({ store, keys, seed: "b", jwtKeyTypes: ["rsa-2048"] });
    assert.deepEqual(jwts(second), ["ES256 old", "RS256 active"]);
    assert.equal(second.authorities.active.value.jwt?.algorithm, "RS256");
    assert.ok(second.bundle.feed.value.jwtAuthorities.has(retired?.id ?? ""));
    assert.equal(keys.list().length, 2);
    await second.clock.advance(9 * DAY_MS);
    await second.rotator.rotate();
    await second.clock.advance(2 * HOUR_MS);
    await second.rotator.rotate();
    assert.ok(!jwts(second).includes("ES256 old"));
    assert.ok(!second.bundle.feed.value.jwtAuthorities.has(retired?.id ?? ""));
  });

  it("adds an algorithm to a trust domain that is there already", async () => {
    const store = await MemoryStore.open();
    const keys = new MemoryKeyManager();
    await using first = await CaWorld.open({ store, keys });
    const before = first.authorities.active.value.jwt?.id;
    await using second = await CaWorld.open({ ...two, store, keys, seed: "b" });
    assert.deepEqual(jwts(second), ["ES256 active", "RS256 active"]);
    assert.equal(second.authorities.active.value.jwt?.id, before);
  });
});
