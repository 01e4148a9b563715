// What probes and scrapers get over HTTP.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CheckResult, Health } from "../../runtime/health.ts";
import { createLogger } from "../../runtime/log.ts";
import { Metrics } from "../../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../../runtime/observability.ts";
import { systemClock } from "../../runtime/time/clock.ts";

async function open(check: () => CheckResult) {
  const log = createLogger({ level: "error", format: "json", destination: { write: () => {} } });
  const health = new Health({ clock: systemClock, log });
  health.add("store", check);
  const metrics = new Metrics();
  metrics.gauge("assay_test_broken", "Fails when asked.", [], () => {
    if (check().detail === "broken metric") throw new Error("secret");
  });
  const endpoint = await ObservabilityEndpoint.open({
    address: "127.0.0.1",
    port: 0,
    health,
    metrics,
    log,
  });
  const get = (path: string, method = "GET") =>
    fetch(`http://127.0.0.1:${endpoint.port}${path}`, { method });
  return { endpoint, get };
}

describe("the observability endpoint", () => {
  it("stays ready while degraded, with the detail in the body", async () => {
    const { endpoint, get } = await open(() => ({ state: "degraded", detail: "reads only" }));
    await using _ = endpoint;
    const response = await get("/ready");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      state: "degraded",
      checks: { store: { state: "degraded", detail: "reads only" } },
    });
  });

  it("is not ready but alive when a check fails", async () => {
    const { endpoint, get } = await open(() => ({ state: "failed" }));
    await using _ = endpoint;
    assert.equal((await get("/ready")).status, 503);
    assert.equal((await get("/live")).status, 200);
  });

  it("shows metrics", async () => {
    const { endpoint, get } = await open(() => ({ state: "ok" }));
    await using _ = endpoint;
    const response = await get("/metrics?x=y");
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
    assert.match(await response.text(), /^assay_test_broken 0$/m);
  });

  it("says nothing about a failure of its own", async () => {
    const { endpoint, get } = await open(() => ({ state: "ok", detail: "broken metric" }));
    await using _ = endpoint;
    const response = await get("/metrics");
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "internal error\n");
  });

  it("knows no other paths and methods", async () => {
    const { endpoint, get } = await open(() => ({ state: "ok" }));
    await using _ = endpoint;
    assert.equal((await get("/")).status, 404);
    const post = await get("/ready", "POST");
    assert.equal(post.status, 405);
    assert.equal(post.headers.get("allow"), "GET, HEAD");
  });
});
