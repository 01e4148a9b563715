import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Metrics } from "../../runtime/metrics.ts";
import { caMetrics, countIssued as count } from "../../server/ca/metrics.ts";
import { countIssued } from "./issued.ts";

suite("issued", () => {
  test("reads what a server has issued of a kind, and nothing that it refused", async () => {
    const metrics = new Metrics();
    const ca = caMetrics(metrics);
    for (let n = 0; n < 3; n++) count(ca, "x509", "issued");
    count(ca, "x509", "denied");
    count(ca, "jwt", "issued");
    assert.equal(countIssued(await metrics.text(), "x509"), 3);
    assert.equal(countIssued(await metrics.text(), "jwt"), 1);
  });
});
