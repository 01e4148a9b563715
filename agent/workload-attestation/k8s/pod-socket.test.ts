// Callers on the own socket of a pod: whom a cgroup names a pod for, and whom none does.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../../test/fakes/recording-log.ts";
import {
  cgroupOf,
  OTHER_POD_UID,
  POD_UID,
  type PodShape,
  podJson,
  podListJson,
} from "../../../test/support/pods.ts";
import { selfFacts } from "../../../test/support/self-facts.ts";
import type { Findings } from "../workload-attestor.ts";
import { K8sAttestor } from "./k8s.ts";
import { KubeletPods } from "./kubelet-pods.ts";
import { parsePodList } from "./parse-pod-list.ts";
import { headsOfRoot } from "./pod-cgroup.ts";
import type { TokenProblem } from "./pod-tokens.ts";

/** Where the processes of a sandbox may be. */
const SANDBOX = "/system.slice/sandboxes.service";
const never = new AbortController().signal;

function setUp(mode: "off" | "fallback" | "required" = "fallback") {
  const clock = new FakeClock();
  const state = {
    list: [] as PodShape[],
    problem: undefined as TokenProblem | undefined,
    reviews: 0,
  };
  const pods = new KubeletPods({
    listPods: async () => parsePodList(podListJson(...state.list.map(podJson))),
    refreshMs: 5_000,
    clock,
    log: new RecordingLog().log,
  });
  const tokens = {
    problemOf: () => state.problem,
    detailOf: () => undefined,
    review: async () => {
      state.reviews += 1;
      state.problem = undefined;
    },
  };
  const attestor = new K8sAttestor({
    heads: headsOfRoot("/"),
    pods,
    podToken: mode === "off" ? undefined : { mode, tokens },
    isWanted: () => true,
    rules: { nodeName: "node-1", namespaces: ["kube-system"] },
    refreshMs: 5_000,
    waitMs: 10_000,
    clock,
  });
  const attest = (cgroup: string, socketPod: string = POD_UID): Promise<Findings> =>
    attestor.attest({ ...selfFacts(), cgroupPaths: [cgroup], socketPod });
  const list = (...shapes: PodShape[]): void => {
    state.list = shapes;
    pods.directory.update(
      parsePodList(podListJson(...shapes.map(podJson))).pods,
      clock.monotonicMs(),
    );
  };
  return { clock, pods, state, attest, list };
}

const valuesOf = ({ selectors }: Findings): readonly string[] =>
  selectors.map(({ value }) => value).sort();
const reasonsOf = ({ undecided }: Findings): readonly string[] =>
  undecided.map(({ reason }) => reason);

describe("K8sAttestor, for a pod's own socket", () => {
  it("takes the socket's word where the pod's token agrees, and names no container", async () => {
    const { attest, list } = setUp();
    list({});
    const found = await attest(SANDBOX);
    assert.equal(found.isRelayed, true);
    assert.deepEqual(found.instance, { podUid: POD_UID });
    assert.deepEqual(valuesOf(found), [
      "node-name:node-1",
      "ns:shop",
      "pod-image-count:1",
      "pod-image:registry.test/web:1",
      "pod-image:registry.test/web@sha256:aaaa",
      "pod-init-image-count:0",
      "pod-label:app:web",
      "pod-name:web-0",
      "pod-owner-uid:StatefulSet:s-1",
      "pod-owner:StatefulSet:web",
      `pod-uid:${POD_UID}`,
      "sa:web",
    ]);
    assert.deepEqual(
      found.undecided.map(({ reason, prefixes, transient }) => ({ reason, prefixes, transient })),
      [
        {
          reason: "container_not_named",
          prefixes: ["container-name:", "container-image:"],
          transient: false,
        },
      ],
    );
  });

  it("has the token reviewed first, and then waits for the kubelet to list the pod", async () => {
    const { clock, pods, state, attest, list } = setUp();
    state.problem = "pod_token_not_reviewed";
    const first = await attest(SANDBOX);
    assert.deepEqual([valuesOf(first), reasonsOf(first)], [[], ["pod_token_not_reviewed"]]);
    await first.undecided[0]?.retry?.when(never);
    assert.equal(state.reviews, 1);
    const second = await attest(SANDBOX);
    assert.deepEqual([valuesOf(second), reasonsOf(second)], [[], ["pod_not_listed"]]);
    assert.equal(second.undecided[0]?.transient, true);
    assert.deepEqual(second.undecided[0]?.prefixes, []);
    state.list = [{}];
    const over = new AbortController();
    const running = pods.run(over.signal);
    await Promise.all([second.undecided[0]?.retry?.when(never), clock.advance(1_000)]);
    over.abort();
    await running;
    list({});
    assert.ok(valuesOf(await attest(SANDBOX)).includes(`pod-uid:${POD_UID}`));
  });

  for (const problem of [
    "pod_token_of_another_pod",
    "pod_token_of_another_node",
    "pod_token_of_another_account",
    "pod_token_refused",
  ] as const) {
    it(`has nothing for a token that is ${problem}`, async () => {
      const { state, attest, list } = setUp();
      list({});
      state.problem = problem;
      const found = await attest(SANDBOX);
      assert.deepEqual([valuesOf(found), reasonsOf(found)], [[], [problem]]);
      assert.equal(found.undecided[0]?.transient, false);
    });
  }

  it("does not take the copy of a static pod for the pod of the socket", async () => {
    const { attest, list } = setUp();
    list({
      uid: OTHER_POD_UID,
      namespace: "kube-system",
      annotations: { "kubernetes.io/config.mirror": POD_UID },
    });
    assert.deepEqual(reasonsOf(await attest(SANDBOX)), ["pod_not_listed"]);
  });

  it("asks for no token where a cgroup names the socket's pod", async () => {
    const { state, attest, list } = setUp();
    list({});
    state.problem = "pod_token_missing";
    const found = await attest(cgroupOf());
    assert.equal(found.isRelayed, undefined);
    assert.ok(valuesOf(found).includes("container-name:app"));
    assert.equal(state.reviews, 0);
  });

  for (const mode of ["off", "fallback", "required"] as const) {
    it(`refuses a container of another pod (${mode})`, async () => {
      const { attest, list } = setUp(mode);
      list({}, { uid: OTHER_POD_UID });
      const found = await attest(cgroupOf(OTHER_POD_UID));
      assert.deepEqual([valuesOf(found), reasonsOf(found)], [[], ["pod_socket_of_another_pod"]]);
      assert.equal(found.instance?.podUid, OTHER_POD_UID);
    });
  }

  it("knows the pod of a sandbox that is in no container of it", async () => {
    const { attest, list } = setUp();
    list({}, { uid: OTHER_POD_UID });
    const sandbox = `/kubepods/besteffort/pod${POD_UID}/sandbox`;
    assert.equal((await attest(sandbox)).isRelayed, true);
    const found = await attest(sandbox, OTHER_POD_UID);
    assert.deepEqual([valuesOf(found), reasonsOf(found)], [[], ["pod_socket_of_another_pod"]]);
  });

  for (const mode of ["off", "required"] as const) {
    it(`knows nobody whom no cgroup names a pod for (${mode})`, async () => {
      const { attest, list } = setUp(mode);
      list({});
      assert.deepEqual(await attest(SANDBOX), { selectors: [], undecided: [] });
    });
  }
});
