import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Metrics } from "./metrics.ts";

describe("Metrics", () => {
  it("writes counters, gauges and histograms in Prometheus' text form", async () => {
    const metrics = new Metrics();
    const issued = metrics.counter("assay_server_svids_issued_total", "SVIDs.", ["kind"]);
    issued.inc({ kind: "x509" }, 2);
    metrics.gauge("assay_agent_entries", "Entries.").set(3);
    metrics
      .histogram("assay_rpc_duration_seconds", "Calls.", ["method"], [0.1, 1])
      .observe({ method: "m" }, 0.5);
    const lines = (await metrics.text()).split("\n");
    assert.ok(lines.includes('assay_server_svids_issued_total{kind="x509"} 2'));
    assert.ok(lines.includes("# TYPE assay_agent_entries gauge"));
    assert.ok(lines.includes("assay_agent_entries 3"));
    assert.ok(lines.includes('assay_rpc_duration_seconds_bucket{le="0.1",method="m"} 0'));
    assert.ok(lines.includes('assay_rpc_duration_seconds_bucket{le="1",method="m"} 1'));
    assert.match(metrics.contentType, /^text\/plain/);
  });

  it("asks a gauge for its value at each reading", async () => {
    const metrics = new Metrics();
    let age = 0;
    metrics.gauge("assay_agent_view_age_seconds", "Age.", [], (gauge) => gauge.set(++age));
    await metrics.text();
    assert.match(await metrics.text(), /^assay_agent_view_age_seconds 2$/m);
  });

  it("keeps two processes in one apart", async () => {
    const [first, second] = [new Metrics(), new Metrics()];
    first.counter("assay_calls_total", "Calls.").inc();
    second.counter("assay_calls_total", "Calls.");
    assert.match(await second.text(), /^assay_calls_total 0$/m);
  });

  it("refuses a name that is not in snake_case or taken", () => {
    const metrics = new Metrics();
    assert.throws(() => metrics.gauge("assay_Bad", "Bad."), {
      name: "TypeError",
      message: 'metric name "assay_Bad" is not in snake_case',
    });
    metrics.gauge("assay_good", "Good.");
    assert.throws(() => metrics.gauge("assay_good", "Good again."), /already been registered/);
  });

  it("adds what every process has", async () => {
    const metrics = new Metrics();
    metrics.addProcess();
    assert.match(await metrics.text(), /^process_resident_memory_bytes \d/m);
  });
});
