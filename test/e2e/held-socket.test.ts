// The workload socket outlives the agent: real agent processes that are killed, and clients that go on meanwhile.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { Holder } from "../../agent/holder/holder.ts";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { X509Source } from "../../spiffe/workloadapi/x509-source.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

/** A machine whose workload socket we hold ourselves. */
class HeldMachine implements AsyncDisposable {
  readonly machine: Machine;
  /** What every process of ours may be. */
  readonly id: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(machine: Machine, id: string, stack: AsyncDisposableStack) {
    this.machine = machine;
    this.id = id;
    this.#stack = stack;
  }

  static async start(): Promise<HeldMachine> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await TempDir.open(0o755));
    const holderSocket = dir.join("holder.sock");
    const workloadSocket = { holder: holderSocket };
    const machine = stack.use(await Machine.open({ home: dir.path, agent: { workloadSocket } }));
    const holder = stack.use(
      await Holder.open({
        workloadSocket: { path: machine.local.layout.workloadSocket, mode: 0o777 },
        path: holderSocket,
        admittedUids: new Set([process.getuid?.() ?? 0]),
        clock: systemClock,
        random: systemRandom,
        log: new RecordingLog().log,
      }),
    );
    const stop = new AbortController();
    const running = holder.run(stop.signal);
    stack.defer(() => {
      stop.abort();
      return running;
    });
    await machine.local.startServer();
    await machine.local.startAgent();
    const id = await registerUser(machine.local, machine.signal);
    const held = new HeldMachine(machine, id, stack.move());
    try {
      await held.#settle();
      return held;
    } catch (err) {
      await held[Symbol.asyncDispose]();
      throw err;
    }
  }

  /** Additions become durable a little later: an agent that is killed before has to ask the server again. */
  async #settle(): Promise<void> {
    const { agentState } = this.machine.local.layout;
    const isHere = async (): Promise<true | undefined> =>
      (await this.ask()).has(this.id) || undefined;
    await eventually("the identity", isHere, { timeoutMs: 30_000 });
    // The certificate names it.
    await eventually("the state", () => readFileSync(agentState).includes(this.id) || undefined);
  }

  /** Asks on a connection of its own. */
  async ask(): Promise<ReadonlySet<string>> {
    using workload = new BareWorkload(this.machine.local.layout.workloadSocket);
    return await workload.fetchIds(this.machine.signal, 60_000);
  }

  async kill(): Promise<void> {
    const { child } = this.machine.local.agent;
    child.kill("SIGKILL");
    await child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

if (requires("linux")) {
  suite("the workload socket", () => {
    test("keeps those who connect while no agent runs for the next one", async () => {
      await using held = await HeldMachine.start();
      for (let i = 0; i < 3; i++) {
        await held.kill();
        const waiting = Array.from({ length: 50 }, () => held.ask());
        await held.machine.local.startAgent();
        for (const ids of await Promise.all(waiting)) assert.deepEqual(ids, new Set([held.id]));
      }
    });

    test("serves from the agent's state when the server is away as well", async () => {
      await using held = await HeldMachine.start();
      const { server } = held.machine.local;
      server.child.kill("SIGKILL");
      await server.child.exited;
      await held.kill();
      const waiting = held.ask();
      await held.machine.local.startAgent();
      assert.deepEqual(await waiting, new Set([held.id]));
    });

    test("gives a client its stream back with one broken connection and nothing else", async () => {
      await using held = await HeldMachine.start();
      const problems: Error[] = [];
      await using source = await X509Source.open({
        address: `unix://${held.machine.local.layout.workloadSocket}`,
        onProblem: (err) => problems.push(err),
      });
      const serial = (): string => source.x509Svid().certificates[0].serialNumberHex;
      const before = serial();
      for (const end of ["SIGKILL", "SIGTERM"] as const) {
        problems.length = 0;
        const { child } = held.machine.local.agent;
        const updates = source.current
          .subscribe(AbortSignal.timeout(60_000))
          [Symbol.asyncIterator]();
        await updates.next();
        child.kill(end);
        await child.exited;
        await held.machine.local.startAgent();
        await updates.next();
        // The source has two streams on its connection: its identities, and the limits of federations.
        assert.ok(problems.length >= 1 && problems.length <= 2, String(problems));
        // Never withdrawn, and from the state that was kept.
        assert.equal(serial(), before);
      }
    });
  });
}
