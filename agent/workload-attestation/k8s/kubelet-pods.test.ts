import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../../test/fakes/recording-log.ts";
import { CONTAINER_ID, POD_UID, podJson, podListJson } from "../../../test/support/pods.ts";
import { KubeletError } from "./kubelet-error.ts";
import { KubeletPods } from "./kubelet-pods.ts";
import { type PodList, parsePodList } from "./parse-pod-list.ts";

const none: PodList = { pods: [], unusable: 0 };
const one: PodList = parsePodList(podListJson(podJson()));

function setUp() {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const kubelet = {
    askedAt: [] as number[],
    answer: async (): Promise<PodList> => none,
  };
  const pods = new KubeletPods({
    listPods: () => {
      kubelet.askedAt.push(clock.monotonicMs());
      return kubelet.answer();
    },
    refreshMs: 5_000,
    clock,
    log: log.log,
  });
  const over = new AbortController();
  const running = pods.run(over.signal);
  const stop = async (): Promise<void> => {
    over.abort();
    await running;
  };
  const isListed = (): boolean =>
    pods.directory.get(POD_UID)?.containers.has(CONTAINER_ID) ?? false;
  return { clock, log, kubelet, pods, signal: over.signal, stop, isListed };
}

describe("KubeletPods", () => {
  it("asks nothing while nobody wants to know", async () => {
    const { clock, kubelet, stop } = setUp();
    await clock.advance(60_000);
    assert.deepEqual(kubelet.askedAt, []);
    await stop();
  });

  it("asks at once, then 25 to 250 ms apart until the caller's container is there", async () => {
    const { clock, kubelet, pods, signal, stop, isListed } = setUp();
    const waiting = pods.until(isListed, signal);
    await clock.advance(0);
    await clock.advance(1_000);
    assert.deepEqual(kubelet.askedAt, [0, 25, 75, 175, 375, 625, 875]);
    kubelet.answer = async () => one;
    await clock.advance(250);
    await waiting;
    await clock.advance(60_000);
    assert.equal(kubelet.askedAt.length, 8);
    await stop();
  });

  it("has one question under way, however many wait", async () => {
    const { clock, kubelet, pods, signal, stop, isListed } = setUp();
    const { promise, resolve } = Promise.withResolvers<PodList>();
    kubelet.answer = () => promise;
    const waiting = Array.from({ length: 50 }, () => pods.until(isListed, signal));
    await clock.advance(4_000);
    assert.equal(kubelet.askedAt.length, 1);
    resolve(one);
    await Promise.all(waiting);
    await stop();
  });

  it("is quick again for someone new", async () => {
    const { clock, kubelet, pods, signal, stop, isListed } = setUp();
    const first = pods.until(isListed, signal);
    await clock.advance(0);
    await clock.advance(900);
    const second = pods.until(isListed, signal);
    await clock.advance(0);
    await clock.advance(30);
    assert.deepEqual(kubelet.askedAt.slice(-3), [875, 900, 925]);
    await stop();
    await Promise.all([first, second]);
  });

  it("asks every five seconds while open streams rest on a pod", async () => {
    const { clock, kubelet, pods, signal, stop, isListed } = setUp();
    const watching = pods.watch(isListed, signal);
    await clock.advance(0);
    await clock.advance(11_000);
    assert.deepEqual(kubelet.askedAt, [0, 5_000, 10_000]);
    kubelet.answer = async () => one;
    await clock.advance(5_000);
    await watching;
    await stop();
  });

  it("leaves a slow kubelet alone for longer than it was busy", async () => {
    const { clock, kubelet, pods, signal, stop, isListed } = setUp();
    kubelet.answer = async () => {
      await clock.sleep(100, signal);
      return none;
    };
    const waiting = pods.until(isListed, signal);
    await clock.advance(0);
    await clock.advance(700);
    assert.deepEqual(kubelet.askedAt, [0, 300, 650]);
    await stop();
    await waiting;
  });

  it("goes on after failures, a second apart at most, and says so once", async () => {
    const { clock, log, kubelet, pods, signal, stop, isListed } = setUp();
    kubelet.answer = () => Promise.reject(new KubeletError("kubelet_forbidden", "no"));
    const waiting = pods.until(isListed, signal);
    await clock.advance(10_000);
    assert.ok(kubelet.askedAt.length < 18, `${kubelet.askedAt.length} questions`);
    assert.equal(pods.answer.problem, "kubelet_forbidden");
    assert.deepEqual(log.messages("warn"), ["Kubelet tells no pods"]);
    kubelet.answer = async () => one;
    await clock.advance(1_000);
    await waiting;
    assert.equal(pods.answer.problem, undefined);
    assert.deepEqual(log.messages().slice(1), ["Kubelet answers again"]);
    await stop();
  });

  it("takes an error that nobody foresaw for a failure of the kubelet", async () => {
    const { clock, kubelet, pods, signal, stop } = setUp();
    kubelet.answer = () => Promise.reject(new Error("what"));
    await Promise.all([
      pods.until(() => pods.answer.problem === "kubelet_failed", signal),
      clock.advance(25),
    ]);
    await stop();
  });

  it("stops waiting with its caller", async () => {
    const { clock, kubelet, pods, stop, isListed } = setUp();
    const left = new AbortController();
    const waiting = pods.until(isListed, left.signal);
    await clock.advance(25);
    left.abort();
    await waiting;
    assert.equal(pods.waiting, 0);
    const asked = kubelet.askedAt.length;
    await clock.advance(10_000);
    assert.equal(kubelet.askedAt.length, asked);
    await stop();
  });
});
