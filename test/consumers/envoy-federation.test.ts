// The page on Envoy where it is about other trust domains, with the real Envoy: whom each of its validators lets in, from an Envoy that
// waits for its entry until that entry is deleted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { FederatedMachine } from "../federation/federated-machine.ts";
import { eventually } from "../support/eventually.ts";
import { PATIENCE } from "../support/files-world.ts";
import { requires } from "../support/requires.ts";
import { EnvoyWorld } from "./envoy/envoy-world.ts";
import type { Caller, Gate } from "./envoy/gate.ts";

/** Places of the blocks on the page. */
const blocks = { plainNode: 3, federated: 4, limitedNode: 5, limited: 6 };
const admitted = "200 hello";

async function callerOf(machine: FederatedMachine, path: string): Promise<Caller> {
  const id = `spiffe://${machine.machine.local.trustDomain}${path}`;
  const { svid_pem: cert, key_pem: key } = await machine.assay("x509", "mint", "--spiffe-id", id);
  return { cert, key };
}

if (requires("linux", "python")) {
  test("Envoys take callers of another trust domain, as far as it is trusted", async (t) => {
    const opening = [
      FederatedMachine.start("example.test"),
      FederatedMachine.start("partner.test", { isServerOnly: true }),
    ] as const;
    await using ours = await opening[0];
    await using theirs = await opening[1];
    await ours.trust(theirs, "--any", "--owner", "platform");
    await using envoys = await EnvoyWorld.open(undefined, ours.machine);
    const block = async (index: number) =>
      parse(await envoys.world.block("envoy.md", "yaml", index));
    const { node: plainNode } = await block(blocks.plainNode);
    const { node: limitedNode } = await block(blocks.limitedNode);
    const ofPartner = await block(blocks.limited);
    ofPartner.validation_context_sds_secret_config.name = "spiffe://partner.test";

    const federated = await envoys.startGate("federated", await block(blocks.federated));
    const limited = await envoys.startGate("limited", await block(blocks.limited), limitedNode);
    const plain = await envoys.startGate("plain", ofPartner, plainNode);
    const gates = [federated, limited, plain];
    const [client, payments, web] = await Promise.all([
      callerOf(ours, "/client"),
      callerOf(theirs, "/payments/api"),
      callerOf(theirs, "/web"),
    ]);

    /** Waits until a gate answers each caller as it should. */
    const expectAt = (gate: Gate, expected: readonly (readonly [Caller, string])[]) =>
      eventually(
        "whom an Envoy lets in",
        async () => {
          const answers = await Promise.all(expected.map(([caller]) => gate.ask(caller)));
          assert.deepEqual(
            answers,
            expected.map(([, answer]) => answer),
          );
          return true;
        },
        PATIENCE,
      );

    // Each asks for a certificate and for a context, and listens when it has both.
    for (const gate of gates) {
      const waits = async () => ((await gate.streams()) === 2 ? true : undefined);
      await eventually("an Envoy that waits", waits, PATIENCE);
    }
    const started = performance.now();
    const entry = ours.register("/web", "--federates-with", "partner.test");
    const first = async () => ((await federated.ask(client)) === admitted ? true : undefined);
    await eventually("the first request", first, { ...PATIENCE, intervalMs: 2 });
    const ms = (performance.now() - started).toFixed(0);
    t.diagnostic(`entry created to the first request through an Envoy that waited: ${ms} ms`);
    const entryId = await entry;

    await expectAt(federated, [
      [client, admitted],
      [payments, admitted],
    ]);
    const before = await federated.refusals();
    assert.equal(await federated.ask(web), "refused");
    const { unmatched, untrusted } = await federated.refusals();
    assert.deepEqual([unmatched - before.unmatched, untrusted - before.untrusted], [1, 0]);
    await expectAt(limited, [
      [client, admitted],
      [payments, admitted],
      [web, admitted],
    ]);
    // The plain form: one trust domain's authorities, and nobody else's.
    await expectAt(plain, [
      [client, "refused"],
      [payments, admitted],
    ]);
    const form = async (gate: Gate, name: string) =>
      Object.keys((await gate.contexts()).get(name) ?? {});
    assert.deepEqual(await form(plain, "spiffe://partner.test"), ["trusted_ca"]);
    assert.deepEqual(await form(federated, "ALL"), ["custom_validator_config"]);

    await ours.assay("federation", "update", "partner.test", "--allow-id", "/payments/*", "--wait");
    await expectAt(limited, [
      [client, admitted],
      [payments, admitted],
      [web, "refused"],
    ]);
    // These did not say that they keep to limits, so they have the bundle no more.
    for (const gate of [federated, plain]) await expectAt(gate, [[payments, "refused"]]);
    assert.equal(await federated.ask(client), admitted);

    await ours.assay("entry", "delete", entryId, "--wait");
    for (const gate of [federated, limited]) await expectAt(gate, [[client, "refused"]]);
  });
}
