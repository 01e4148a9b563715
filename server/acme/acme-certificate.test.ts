import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { KeyAndCertificate } from "../../runtime/http/document-server.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { pemOf, webAuthority, webCertificate } from "../../test/support/foreign-endpoint.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { dnsName } from "../../test/support/test-ca.ts";
import { AcmeCertificate } from "./acme-certificate.ts";
import type { OrderCertificate } from "./order-certificate.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const DOMAIN = "bundles.example.test";

describe("AcmeCertificate", () => {
  let dir: TempDir;
  let clock: FakeClock;
  let log: RecordingLog;
  let stop: AbortController;
  beforeEach(async () => {
    dir = await TempDir.open();
    clock = new FakeClock();
    log = new RecordingLog();
    stop = new AbortController();
  });
  afterEach(() => dir[Symbol.asyncDispose]());

  const open = (order: OrderCertificate) =>
    AcmeCertificate.open({
      settings: {
        directoryUrl: "https://acme.example.test/dir",
        domain: DOMAIN,
        tosAccepted: true,
        directory: dir.join("acme"),
      },
      order,
      clock,
      random: new FakeRandom(1),
      log: log.log,
    });

  const issue = (name = DOMAIN): KeyAndCertificate => {
    const notBefore = clock.now();
    const notAfter = new Date(notBefore.getTime() + 90 * DAY_MS);
    return pemOf(webCertificate(webAuthority, [dnsName(name)], { notBefore, notAfter }));
  };

  /** Runs until the certificate comes to rest again after each step. */
  const run = async (certificate: AcmeCertificate, steps: () => Promise<void>) => {
    const running = certificate.run(stop.signal);
    await clock.whenSleeping();
    await steps();
    stop.abort();
    await running;
  };

  it("tries again until there is a first one", async () => {
    const results = [() => assert.fail("no way here"), issue];
    const certificate = await open(async () => (results.shift() ?? issue)());
    await run(certificate, async () => {
      await clock.advance(0);
      await clock.whenSleeping();
      assert.equal(certificate.current.value, undefined);
      assert.deepEqual(log.messages("warn"), [
        "Certificate could not be obtained, the one in use stays",
      ]);
      const obtained = certificate.current.subscribe(stop.signal)[Symbol.asyncIterator]();
      await obtained.next();
      await clock.advance(HOUR_MS);
      assert.ok((await obtained.next()).value);
    });
  });

  it("renews at two thirds of the life, and keeps the old one while that fails", async () => {
    let isFailing = false;
    let orders = 0;
    const certificate = await open(async () => {
      orders += 1;
      if (isFailing) throw new Error("rate limited");
      return issue();
    });
    await run(certificate, async () => {
      const obtained = certificate.current.subscribe(stop.signal)[Symbol.asyncIterator]();
      await obtained.next();
      await clock.advance(0);
      const { value: first } = await obtained.next();
      await clock.whenSleeping();
      await clock.advance(56 * DAY_MS);
      assert.equal(orders, 1);
      isFailing = true;
      await clock.advance(8 * DAY_MS);
      assert.ok(orders > 1);
      assert.equal(certificate.current.value, first);
      isFailing = false;
      await clock.advance(2 * HOUR_MS);
      const { value: second } = await obtained.next();
      assert.notEqual(second.cert, first.cert);
    });
  });

  it("goes on with what was kept", async () => {
    const first = await open(async () => issue());
    await run(first, async () => {
      const obtained = first.current.subscribe(stop.signal)[Symbol.asyncIterator]();
      await obtained.next();
      await clock.advance(0);
      await obtained.next();
    });
    stop = new AbortController();
    const again = await open(() => assert.fail("a certificate was ordered"));
    assert.equal(again.current.value?.cert, first.current.value?.cert);
    await run(again, () => clock.advance(DAY_MS));
    assert.deepEqual(log.messages("warn"), []);
  });

  for (const [what, wrong] of [
    ["for another name", () => issue("other.example.test")],
    ["of another key", () => ({ ...issue(), key: issue().key })],
    ["no certificate at all", () => ({ ...issue(), cert: "nothing" })],
  ] as const) {
    it(`does not take one that is ${what}`, async () => {
      const certificate = await open(async () => wrong());
      await run(certificate, async () => {
        await clock.advance(0);
        await clock.whenSleeping();
        assert.equal(certificate.current.value, undefined);
        assert.equal(log.messages("warn").length, 1);
      });
    });
  }
});
