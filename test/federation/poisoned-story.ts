// What a server makes of endpoints that mean harm, as its operator sees it: the command, the audit, the metrics.

import assert from "node:assert/strict";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { eventually } from "../support/eventually.ts";
import { domainAuthority } from "../support/foreign-endpoint.ts";
import type { FederatedMachine } from "./federated-machine.ts";
import type { PoisonedEndpoint } from "./poisoned-endpoint.ts";

/** The trust domains whose endpoints mean harm, and why their bundles are not taken. */
const reasons = {
  "impostor.test": "endpoint_untrusted",
  "own.test": "bundle_own_authority",
  "rollback.test": "bundle_sequence",
  "large.test": "bundle_too_large",
  "redirect.test": "endpoint_redirect",
  // Takes the ten seconds that an endpoint has.
  "drip.test": "endpoint_timeout",
} as const;

const names = Object.keys(reasons);

/** A bundle of a trust domain of nobody's, with an authority of its own each time. */
function documentOf(trustDomain: string, sequence: bigint): string {
  const x509Authorities = [domainAuthority(trustDomain).certificate];
  return formatBundleDocument(
    new Bundle(TrustDomain.parse(trustDomain), { x509Authorities, sequence }),
  );
}

/** Has the server trust them all. Nothing of that is waited for but the first bundle of the one that goes back later. */
export async function beginPoisoned(
  ours: FederatedMachine,
  poisoned: PoisonedEndpoint,
): Promise<void> {
  await poisoned.put("/own", await ours.bundle());
  await poisoned.put("/rollback", documentOf("rollback.test", 5n));
  for (const name of names) {
    const isImpostor = name === "impostor.test";
    const profile = isImpostor
      ? ["https_spiffe", "--endpoint-id", `spiffe://${name}/spire/server`, "--bundle", "-"]
      : ["https_web"];
    const url = poisoned.url(`/${name.split(".")[0]}`);
    const args = ["federation", "create", name, "--any", "--url", url, "--profile", ...profile];
    const created = await ours.run(args, isImpostor ? documentOf(name, 1n) : "");
    assert.equal(created.code, ExitCode.ok, created.err);
  }
  await eventually("a bundle", async () => (await sequenceOf(ours)) === 5 || undefined);
  await poisoned.put("/rollback", documentOf("rollback.test", 3n));
}

/** Looks at what became of each, and forgets them. */
export async function endPoisoned(
  ours: FederatedMachine,
  poisoned: PoisonedEndpoint,
): Promise<void> {
  const refreshed = await ours.run(["federation", "refresh", "rollback.test"]);
  assert.notEqual(refreshed.code, ExitCode.ok);
  assert.match(refreshed.err, /sequence 3, which is behind 5/);
  for (const [name, code] of Object.entries(reasons)) {
    const shown = await eventually(`the failure of ${name}`, async () => {
      const state = await ours.assay("federation", "show", name);
      if (state.failure_code === code) return state;
      // Where the machine was too slow for a fetch, another one tells.
      if (state.failure_code !== "") await ours.run(["federation", "refresh", name]);
      throw new Error(`its code is "${state.failure_code}"`);
    });
    assert.ok(shown.findings.includes("fetch_failing"), name);
  }
  assert.equal(await sequenceOf(ours), 5);
  // What is on its way in buffers of the kernel has been sent too.
  const sent = await eventually("the end of the large answer", () => poisoned.sentBytes("/large"));
  assert.ok(sent < 50_000_000, `${sent} bytes were sent`);

  const failed = new Map<string, string>();
  const records = await ours.run(["audit", "list", "--action", "federation.refresh"]);
  for (const line of records.out.trim().split("\n")) {
    const { decision, resource, reasonCode } = JSON.parse(line);
    if (decision === "failed") failed.set(resource, reasonCode);
  }
  assert.deepEqual(Object.fromEntries(names.map((name) => [name, failed.get(name)])), reasons);
  const metrics = await ours.metrics();
  assert.match(metrics, /^assay_server_federation_failing 6$/m);
  assert.match(metrics, /^assay_server_federation_fetches_total\{outcome="failed"\} \d+$/m);
  for (const name of names) await ours.assay("federation", "delete", name);
}

async function sequenceOf(ours: FederatedMachine): Promise<number> {
  return (await ours.assay("federation", "show", "rollback.test")).sequence;
}
