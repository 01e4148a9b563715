import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { KubeError } from "../k8s/kube-error.ts";
import { type LeadingDeps, runLeading } from "./run-leading.ts";

type Client = LeadingDeps["cluster"]["client"];

/** One Lease, with the API server's rule that a write has to know the version that it replaces. */
class LeaseServer {
  #lease: { metadata: { resourceVersion: string }; spec: object } | undefined;
  #version = 0;
  /** What each request waits for. */
  answer: () => Promise<void> = async () => {};

  readonly client: Pick<Client, "get" | "create" | "replace"> = {
    get: async (_resource, _ref, parse) => {
      await this.answer();
      if (this.#lease === undefined) throw new KubeError("not_found", "no lease");
      return parse(structuredClone(this.#lease));
    },
    create: async (_resource, _ref, body, parse) => parse(this.#put(body)),
    replace: async (_resource, _ref, body, parse) => {
      const { metadata } = body as { metadata: { resourceVersion: string } };
      if (metadata.resourceVersion !== this.#lease?.metadata.resourceVersion) {
        throw new KubeError("conflict", "changed meanwhile");
      }
      return parse(this.#put(body));
    },
  };

  #put(body: object): unknown {
    this.#version += 1;
    const { spec } = body as { spec: object };
    this.#lease = { metadata: { resourceVersion: String(this.#version) }, spec };
    return this.#lease;
  }
}

/** A process that takes turns. */
function start(server: LeaseServer, clock: FakeClock, instance: string) {
  const stop = new AbortController();
  const state = { isLeading: false, turns: 0 };
  const { log } = new RecordingLog();
  const deps = { cluster: server, namespace: "assay-system", instance, clock, log };
  const done = runLeading(deps, stop.signal, async (signal) => {
    state.isLeading = true;
    state.turns += 1;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    state.isLeading = false;
  });
  return {
    state,
    stop: async (): Promise<void> => {
      stop.abort();
      await done;
    },
  };
}

/** Moves the clock in steps that are short beside every interval of the lease. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) await clock.advance(500);
}

describe("runLeading", () => {
  it("has one lead, and the one that waits when that has stopped", async () => {
    const [server, clock] = [new LeaseServer(), new FakeClock()];
    const first = start(server, clock, "a");
    await pass(clock, 1_000);
    const second = start(server, clock, "b");
    await pass(clock, 60_000);
    assert.deepEqual([first.state.turns, second.state.turns], [1, 0]);
    await first.stop();
    await pass(clock, 5_000);
    assert.deepEqual([first.state.isLeading, second.state.isLeading], [false, true]);
    await second.stop();
  });

  it("stops before anybody else may begin when the API server answers nothing", async () => {
    const [server, clock] = [new LeaseServer(), new FakeClock()];
    const first = start(server, clock, "a");
    await pass(clock, 4_000);
    assert.equal(first.state.isLeading, true);
    server.answer = () => new Promise(() => {});
    await pass(clock, 12_000);
    assert.equal(first.state.isLeading, false);
    server.answer = async () => {};
    await pass(clock, 15_000);
    assert.equal(first.state.isLeading, true);
    await first.stop();
  });

  it("lets a standby take over from one that has died, and not sooner", async () => {
    const [server, clock] = [new LeaseServer(), new FakeClock()];
    const first = start(server, clock, "a");
    await pass(clock, 1_000);
    // Cut off, as a process that hangs is.
    const own = server.client.replace;
    const second = start(server, clock, "b");
    await pass(clock, 4_000);
    Object.assign(server.client, {
      replace: async (...args: Parameters<typeof own>) => {
        const { spec } = args[2] as { spec: { holderIdentity: string } };
        if (spec.holderIdentity === "a") throw new KubeError("unavailable", "cut off");
        return own(...args);
      },
    });
    await pass(clock, 9_000);
    assert.deepEqual([first.state.isLeading, second.state.isLeading], [true, false]);
    await pass(clock, 3_000);
    assert.deepEqual([first.state.isLeading, second.state.isLeading], [false, false]);
    await pass(clock, 10_000);
    assert.deepEqual([first.state.isLeading, second.state.isLeading], [false, true]);
    await Promise.all([first.stop(), second.stop()]);
  });
});
