// The page on Envoy, with the real Envoy: rotations under steady load, who is refused, and what becomes of an entry that goes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Pool } from "undici";
import { eventually } from "../support/eventually.ts";
import { PATIENCE } from "../support/files-world.ts";
import { requires } from "../support/requires.ts";
import { EnvoyWorld } from "./envoy/envoy-world.ts";
import { ask, load } from "./envoy/load.ts";

const isLong = process.env["ASSAY_TEST_LONG"] === "1";
const seconds = isLong ? 60 : 12;
const perSecond = isLong ? 2_000 : 300;

if (requires("linux", "python")) {
  test("two Envoys speak mutual TLS through rotations, and stop when an entry goes", async (t) => {
    await using envoys = await EnvoyWorld.open();
    const { world } = envoys;
    await world.grant("/web");
    await world.grant("/client");
    await world.grant("/stranger");
    await envoys.startServer();
    const client = await envoys.startClient("client");
    const answers = async (pool: Pool, expected: RegExp): Promise<true | undefined> =>
      expected.test(await ask(pool)) || undefined;
    await eventually("an answer", () => answers(client, /^200 hello/), PATIENCE);

    const failures: string[] = [];
    const loading = load(client, { seconds, perSecond }, failures);
    const pauseMs = (seconds * 1_000) / 5;
    const latencies: number[] = [];
    const rotateWeb = async (): Promise<void> => {
      const before = await envoys.shownSerial();
      const started = performance.now();
      await world.rotate("/web");
      await eventually(
        "the new certificate",
        async () => (await envoys.shownSerial()) !== before || undefined,
      );
      latencies.push(performance.now() - started);
    };
    const steps = [rotateWeb, () => world.rotate("/client"), () => envoys.rotateAuthority()];
    for (const step of [...steps, rotateWeb]) {
      await wait(pauseMs);
      await step();
    }
    const sent = await loading;
    t.diagnostic(`${sent} requests in ${seconds} s, ${failures.length} failed`);
    t.diagnostic(`rotated to shown: ${latencies.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    assert.deepEqual(failures.slice(0, 5), []);

    const stranger = await envoys.startClient("stranger", { "/client": "/stranger" });
    await eventually("a refusal", () => answers(stranger, /^503 .*(reset|disconnect)/), PATIENCE);
    assert.equal(await ask(client), "200 hello");

    await world.withdraw("/client");
    await eventually("the client to stop", () => answers(client, /^503 /), PATIENCE);
    const last = await envoys.shownSerial();
    await world.withdraw("/web");
    const isVoid = async () => (await envoys.shownSerial()) !== last || undefined;
    await eventually("the server to show its identity no more", isVoid, PATIENCE);
  });
}
