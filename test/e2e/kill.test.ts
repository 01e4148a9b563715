// Server and agent are killed in the middle of work, again and again, at moments that a seed decides.

import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { assaySource } from "../../deploy/local/assay-command.ts";
import { Child } from "../../deploy/local/child.ts";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { fetchIds } from "../../deploy/local/workload-call.ts";
import { FakeRandom } from "../fakes/fake-random.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { assertNothingLost } from "./account.ts";
import { AcknowledgedLoad } from "./acknowledged-load.ts";

const kills = process.env["ASSAY_TEST_LONG"] === undefined ? 8 : 200;
const seed = process.env["ASSAY_TEST_SEED"] ?? "1";
/** How long the load lasts at most before the blow. */
const latestMs = 300;
/** A little longer than a start takes, so that the blow falls at any point of it. */
const startMs = 1000;

/** No limits on one caller: the load is one. */
const rate = { perSecond: 1_000_000, burst: 10_000_000 };
const rates = { sign_x509: rate, read: rate, write: rate };

if (requires("linux")) {
  suite(`kill -9, seed ${seed}`, () => {
    test(`of the server, ${kills} times: nothing acknowledged is lost, nothing signed is unaccounted for`, async () => {
      await using machine = await Machine.open({ server: { limits: { rates } } });
      await machine.local.startServer();
      using agent = await BareAgent.attest(machine.bareAgents);
      const load = new AcknowledgedLoad(machine, agent);
      const random = new FakeRandom(`server ${seed}`);
      for (let kill = 0; kill < kills; kill++) {
        // Connected again, so that the blow falls on certificates as well.
        await eventually("a certificate", () => load.one(machine.signal));
        const end = new AbortController();
        const working = load.run(AbortSignal.any([end.signal, machine.signal]));
        await wait(random.uniform() * latestMs);
        machine.local.server.child.kill("SIGKILL");
        await machine.local.server.child.exited;
        end.abort();
        await working;
        // Every third time it dies once more on its way up.
        if (kill % 3 === 0) await killDuringStart(machine, random.uniform() * startMs);
        await machine.local.startServer();
        await assertNothingLost(machine, load);
      }
      assert.ok(load.created.size > kills && load.serials.size > kills, "the load was no load");
    });

    test(`of the agent, ${kills} times: it goes on with the identities it had`, async () => {
      await using machine = await Machine.start();
      const id = await registerUser(machine.local, machine.signal);
      const { workloadSocket } = machine.local.layout;
      const isServed = async (): Promise<true | undefined> =>
        (await fetchIds(workloadSocket, machine.signal)).includes(id) ? true : undefined;
      await eventually("the identity", isServed);
      const random = new FakeRandom(`agent ${seed}`);
      for (let kill = 0; kill < kills; kill++) {
        await wait(random.uniform() * latestMs);
        machine.local.agent.child.kill("SIGKILL");
        await machine.local.agent.child.exited;
        await machine.local.startAgent();
        assert.deepEqual(await fetchIds(workloadSocket, machine.signal), [id]);
      }
    });
  });
}

/** Starts the machine's server with the settings that it had, and kills it before it can be called ready. */
async function killDuringStart(machine: Machine, afterMs: number): Promise<void> {
  const { serverConfig, home } = machine.local.layout;
  const child = await Child.start({
    name: "server",
    file: process.execPath,
    args: [assaySource, "server", "run", "--config", serverConfig],
    logPath: join(home, "killed.log"),
  });
  await wait(afterMs);
  child.kill("SIGKILL");
  await child.exited;
}
