// The page on Istio, with Envoys configured as its sidecars are: one certificate `default` each, strict mutual TLS, service accounts
// as IDs. No istiod takes part.

import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Pool } from "undici";
import { linkAliases } from "../../agent/holder/socket-aliases.ts";
import { eventually } from "../support/eventually.ts";
import { PATIENCE } from "../support/files-world.ts";
import { requires } from "../support/requires.ts";
import { EnvoyWorld } from "./envoy/envoy-world.ts";
import { ask, load } from "./envoy/load.ts";

const page = { page: "istio.md", first: 3, port: "15006" };
const steady = { seconds: 6, perSecond: 300 };

const web = "/ns/shop/sa/web";
const client = "/ns/shop/sa/client";
const stranger = "/ns/other/sa/stranger";

/** The folder of the socket where Istio's sidecars find it, with the link that the CSI driver would make. */
async function mountSocket({ world }: EnvoyWorld): Promise<void> {
  const { workloadSocket } = world.machine.local.layout;
  await linkAliases(workloadSocket, ["socket"]);
  const mounted = world.dir.join("workload-spiffe-uds");
  await symlink(dirname(workloadSocket), mounted);
  world.places.set("/var/run/secrets/workload-spiffe-uds", mounted);
}

if (requires("linux", "python")) {
  test("two Envoys set up as Istio's sidecars keep to service accounts through a rotation", async (t) => {
    await using envoys = await EnvoyWorld.open(page);
    const { world } = envoys;
    await mountSocket(envoys);
    await envoys.grantOwn("server", web);
    await envoys.grantOwn("client", client);
    await envoys.grantOwn("misled", "/ns/shop/sa/misled");
    await envoys.grantOwn("stranger", stranger);
    await envoys.startServer();
    const answers = async (pool: Pool, expected: RegExp): Promise<true | undefined> =>
      expected.test(await ask(pool)) || undefined;
    const caller = await envoys.startClient("client");
    await eventually("an answer", () => answers(caller, /^200 hello$/), PATIENCE);

    const failures: string[] = [];
    const loading = load(caller, steady, failures);
    for (const path of [web, client]) {
      await wait((steady.seconds * 1_000) / 4);
      const before = await envoys.shownSerial();
      await world.rotate(path);
      if (path !== web) continue;
      const isNew = async () => (await envoys.shownSerial()) !== before || undefined;
      await eventually("the new certificate", isNew, PATIENCE);
    }
    t.diagnostic(`${await loading} requests in ${steady.seconds} s, ${failures.length} failed`);
    assert.deepEqual(failures.slice(0, 5), []);

    assert.equal(await envoys.plaintext(), "");
    const other = await envoys.startClient("stranger");
    await eventually("a refusal", () => answers(other, /^403 RBAC/), PATIENCE);
    // A caller that expects another service account ends the handshake; had it gone on, the answer would be 403 as above. An Envoy
    // listens only once it has its secrets, so it is not for the lack of them.
    const misled = await envoys.startClient("misled", { [web]: "/ns/shop/sa/bank" });
    const isRefused = () => answers(misled, /^503 .*connection failure/);
    await eventually("the wrong server to be refused", isRefused, PATIENCE);
    assert.equal(await ask(caller), "200 hello");
  });
}
