import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { CaWorld } from "../../test/support/ca-world.ts";
import type { KnownBadKeys } from "../policy/key-policy.ts";
import { findCsrKey } from "./csr-key.ts";
import { drawSerialNumbers } from "./serial-number.ts";
import type { SigningJob } from "./signing-job.ts";
import { SigningPool } from "./signing-pool.ts";
import type { SvidItem } from "./svid-preparation.ts";

function itemsFor(world: CaWorld, count: number): readonly SvidItem[] {
  const { csrDer, spiffeId } = world.workloadOrder("/a");
  const serials = drawSerialNumbers(new FakeRandom("serials"), count);
  const nowMs = world.clock.now().getTime();
  return serials.map((serial) => ({
    csrDer,
    spkiDer: findCsrKey(csrDer) ?? new Uint8Array(),
    serial,
    notBeforeMs: nowMs - 10_000,
    notAfterMs: nowMs + 3_600_000,
    spiffeId: spiffeId.toString(),
    dnsNames: [],
  }));
}

async function begin(world: CaWorld, count: number): Promise<SigningJob> {
  const { x509 } = world.authorities.active.value;
  assert.ok(x509);
  return world.pool.begin(x509, itemsFor(world, count));
}

describe("SigningPool", () => {
  it("keeps results in the order of the items, however they are spread", async () => {
    await using world = await CaWorld.open({ threads: 3 });
    // Each of them finds the threads busy that there are, and so begins another one.
    const earlier = await Promise.all([20, 40, 60].map((count) => begin(world, count)));
    for (const job of earlier) job.drop();
    const job = await begin(world, 100);
    const serials = (await job.sign()).map((one) => {
      assert.ok("certificateDer" in one);
      return Certificate.parse(one.certificateDer).serialNumberHex;
    });
    const expected = itemsFor(world, 100).map(({ serial }) => Buffer.from(serial).toString("hex"));
    assert.deepEqual(serials, expected);
  });

  it("keeps many jobs apart that are under way at once", async () => {
    await using world = await CaWorld.open({ threads: 2 });
    const jobs = await Promise.all([1, 2, 3, 20, 50].map((count) => begin(world, count)));
    const dropped = await begin(world, 5);
    dropped.drop();
    const counts = await Promise.all(jobs.map(async (job) => (await job.sign()).length));
    assert.deepEqual(counts, [1, 2, 3, 20, 50]);
  });

  it("fails the jobs of a thread that dies, and works again with another", async () => {
    await using world = await CaWorld.open({ threads: 1 });
    const job = await begin(world, 20);
    await job.sign();
    const other = await begin(world, 20);
    // A programmer's error, over which the thread falls.
    await assert.rejects(job.sign(), /was not prepared/);
    await assert.rejects(other.sign(), /was not prepared/);
    assert.equal((await (await begin(world, 20)).sign()).length, 20);
  });

  it("signs where it stands on a machine that gives it no thread", async () => {
    await using world = await CaWorld.open();
    const { log, lines } = new RecordingLog();
    // What cannot be copied to a thread, so that none begins.
    const knownBadKeys = Object.assign(new Set<string>(), {
      [Symbol.iterator]: () => [() => undefined].values(),
    }) as unknown as KnownBadKeys;
    await using pool = new SigningPool({ threads: 2, knownBadKeys, log });
    const { x509 } = world.authorities.active.value;
    assert.ok(x509);
    const results = await pool.begin(x509, itemsFor(world, 50)).sign();
    assert.equal(results.filter((one) => "certificateDer" in one).length, 50);
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ["Signing thread failed"],
    );
  });
});
