import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../test/fakes/fake-clock.ts";
import { Health } from "./health.ts";
import { createLogger } from "./log.ts";
import { Metrics } from "./metrics.ts";

const start = () => {
  const logged: Record<string, unknown>[] = [];
  const log = createLogger({
    level: "info",
    format: "json",
    destination: { write: (line) => logged.push(JSON.parse(line)) },
  });
  const clock = new FakeClock();
  return { clock, logged, health: new Health({ clock, log }) };
};

describe("Health", () => {
  it("is as bad as its worst check", async () => {
    const { health } = start();
    assert.deepEqual(await health.ready(), { state: "ok", checks: {} });
    health.add("ca", () => ({ state: "ok" }));
    health.add("store", async () => ({ state: "degraded", detail: "reads only" }));
    assert.equal((await health.ready()).state, "degraded");
    health.add("audit", () => ({ state: "failed", detail: "disk full" }));
    assert.deepEqual(await health.ready(), {
      state: "failed",
      checks: {
        ca: { state: "ok" },
        store: { state: "degraded", detail: "reads only" },
        audit: { state: "failed", detail: "disk full" },
      },
    });
  });

  it("is alive unless a vital check fails", async () => {
    const { health } = start();
    health.add("store", () => ({ state: "failed" }));
    assert.deepEqual(await health.live(), { state: "ok", checks: {} });
    health.add("loop", () => ({ state: "failed" }), { vital: true });
    assert.equal((await health.live()).state, "failed");
  });

  it("takes a check that throws for failed", async () => {
    const { health } = start();
    health.add("store", () => {
      throw new Error("closed");
    });
    health.add("ca", async () => {
      throw new Error("no authority");
    });
    assert.deepEqual((await health.ready()).checks, {
      store: { state: "failed", detail: "closed" },
      ca: { state: "failed", detail: "no authority" },
    });
  });

  it("takes a check that does not answer in time for failed", async () => {
    const { health, clock } = start();
    health.add("store", () => new Promise(() => {}));
    const asking = health.ready();
    await clock.advance(2_000);
    assert.deepEqual((await asking).checks, {
      store: { state: "failed", detail: "check does not answer" },
    });
  });

  it("logs changes and nothing else", async () => {
    const { health, logged } = start();
    let state: "ok" | "failed" = "ok";
    health.add("store", () => ({ state }));
    await health.ready();
    state = "failed";
    await health.ready();
    await health.ready();
    state = "ok";
    await health.ready();
    assert.deepEqual(
      logged.map(({ level, msg }) => [level, msg]),
      [
        ["warn", "Health check changed for the worse"],
        ["info", "Health check recovered"],
      ],
    );
  });

  it("shows each check as a gauge", async () => {
    const { health } = start();
    const metrics = new Metrics();
    health.add("store", () => ({ state: "degraded" }));
    health.addTo(metrics, "assay_server_health");
    assert.match(await metrics.text(), /^assay_server_health\{check="store"\} 1$/m);
  });

  it("refuses two checks of one name", () => {
    const { health } = start();
    health.add("store", () => ({ state: "ok" }));
    assert.throws(() => health.add("store", () => ({ state: "ok" })), {
      message: "health check store exists",
    });
  });
});
