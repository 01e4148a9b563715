import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../../test/fakes/recording-log.ts";
import {
  CONTAINER_ID,
  cgroupOf,
  OTHER_CONTAINER_ID,
  OTHER_POD_UID,
  POD_UID,
  type PodShape,
  podJson,
  podListJson,
} from "../../../test/support/pods.ts";
import { selfFacts } from "../../../test/support/self-facts.ts";
import type { Findings } from "../workload-attestor.ts";
import { K8sAttestor, type K8sAttestorDeps } from "./k8s.ts";
import { KubeletError } from "./kubelet-error.ts";
import { KubeletPods } from "./kubelet-pods.ts";
import { parsePodList } from "./parse-pod-list.ts";
import { headsOfRoot } from "./pod-cgroup.ts";
import type { TokenProblem } from "./pod-tokens.ts";

const hash = "04a6c6ae04b0bd6c5fb6e3cd0e0b9f11";
const never = new AbortController().signal;

function setUp(changes: Partial<K8sAttestorDeps> = {}) {
  const clock = new FakeClock();
  const kubelet = {
    list: [] as PodShape[],
    problem: undefined as KubeletError | undefined,
    asked: 0,
  };
  const pods = new KubeletPods({
    listPods: async () => {
      kubelet.asked += 1;
      if (kubelet.problem) throw kubelet.problem;
      return parsePodList(podListJson(...kubelet.list.map(podJson)));
    },
    refreshMs: 5_000,
    clock,
    log: new RecordingLog().log,
  });
  const attestor = new K8sAttestor({
    heads: headsOfRoot("/"),
    pods,
    isWanted: () => true,
    rules: { nodeName: "node-1", namespaces: ["kube-system"] },
    refreshMs: 5_000,
    waitMs: 10_000,
    clock,
    ...changes,
  });
  const attest = (...cgroupPaths: readonly string[]): Promise<Findings> =>
    attestor.attest({ ...selfFacts(), cgroupPaths });
  /** Lets the kubelet be asked once, and answer what it lists now. */
  const poll = async (): Promise<void> => {
    const over = new AbortController();
    const before = kubelet.asked;
    const running = pods.run(over.signal);
    await Promise.all([pods.until(() => kubelet.asked > before, never), clock.advance(1_000)]);
    over.abort();
    await running;
  };
  return { clock, kubelet, pods, attest, poll };
}

function valuesOf({ selectors }: Findings): readonly string[] {
  assert.ok(selectors.every(({ type }) => type === "k8s"));
  return selectors.map(({ value }) => value).sort();
}

function prefixesOf({ undecided }: Findings, isTransient = true): readonly string[] {
  return undecided
    .filter(({ transient }) => transient === isTransient)
    .flatMap(({ prefixes }) => prefixes)
    .sort();
}

const everyPrefix = [
  "container-image:",
  "container-name:",
  "node-name:",
  "ns:",
  "pod-image-count:",
  "pod-image:",
  "pod-init-image-count:",
  "pod-init-image:",
  "pod-label:",
  "pod-name:",
  "pod-owner-uid:",
  "pod-owner:",
  "sa:",
];

describe("K8sAttestor", () => {
  it("finds every selector of a container", async () => {
    const { kubelet, attest, poll } = setUp();
    kubelet.list = [{ initContainers: [{ name: "setup", image: "setup:1", imageID: "" }] }];
    await poll();
    const found = await attest(cgroupOf());
    assert.deepEqual(valuesOf(found), [
      "container-image:registry.test/web:1",
      "container-image:registry.test/web@sha256:aaaa",
      "container-name:app",
      "node-name:node-1",
      "ns:shop",
      "pod-image-count:1",
      "pod-image:registry.test/web:1",
      "pod-image:registry.test/web@sha256:aaaa",
      "pod-init-image-count:1",
      "pod-init-image:setup:1",
      "pod-label:app:web",
      "pod-name:web-0",
      "pod-owner-uid:StatefulSet:s-1",
      "pod-owner:StatefulSet:web",
      `pod-uid:${POD_UID}`,
      "sa:web",
    ]);
    assert.deepEqual(found.undecided, []);
    assert.deepEqual(found.instance, { podUid: POD_UID, containerId: CONTAINER_ID });
  });

  it("tells the containers of a pod apart, those of one image too", async () => {
    const { kubelet, attest, poll } = setUp();
    const init = { name: "sidecar", id: "1".repeat(64) };
    const debug = { name: "debug", id: "2".repeat(64), image: "busybox:1", imageID: "busybox@1" };
    kubelet.list = [
      {
        containers: [
          { name: "a", id: CONTAINER_ID },
          { name: "b", id: OTHER_CONTAINER_ID },
        ],
        initContainers: [init],
        ephemeralContainers: [debug],
      },
    ];
    await poll();
    for (const { name, id } of [
      { name: "a", id: CONTAINER_ID },
      { name: "b", id: OTHER_CONTAINER_ID },
      init,
      debug,
    ]) {
      const values = valuesOf(await attest(cgroupOf(POD_UID, id)));
      assert.ok(values.includes(`container-name:${name}`));
      assert.equal(values.filter((value) => value.startsWith("container-name:")).length, 1);
      assert.ok(values.includes("pod-image-count:2"));
      assert.ok(!values.includes("pod-image:busybox:1"));
    }
  });

  it("has nothing to say of a process that is in no pod, and asks nobody", async () => {
    const { kubelet, attest } = setUp();
    const found = await attest("/system.slice/nginx.service", "/");
    assert.deepEqual(found, { selectors: [], undecided: [] });
    assert.equal(kubelet.asked, 0);
  });

  it("knows the pod's UID from the cgroup alone, and leaves all else unknown", async () => {
    const { attest } = setUp();
    const found = await attest(cgroupOf());
    assert.deepEqual(valuesOf(found), [`pod-uid:${POD_UID}`]);
    assert.deepEqual(prefixesOf(found), everyPrefix);
    assert.equal(found.undecided[0]?.reason, "pod_not_listed");
  });

  it("leaves the kubelet alone while no entry asks for more than the UID", async () => {
    const { attest } = setUp({ isWanted: () => false });
    const found = await attest(cgroupOf());
    assert.deepEqual(valuesOf(found), [`pod-uid:${POD_UID}`]);
    assert.deepEqual(found.undecided, []);
    assert.equal(found.changed, undefined);
  });

  it("knows the pod before its container is listed, and what the container runs after", async () => {
    const { kubelet, attest, poll } = setUp();
    kubelet.list = [{ containers: [{}] }];
    await poll();
    const found = await attest(cgroupOf());
    assert.ok(valuesOf(found).includes("sa:web"));
    assert.ok(valuesOf(found).includes("pod-label:app:web"));
    assert.deepEqual(
      prefixesOf(found),
      everyPrefix.filter((prefix) => /container|image/.test(prefix)),
    );
  });

  it("does not take another pod's container for one of the caller's pod", async () => {
    const { kubelet, attest, poll } = setUp();
    kubelet.list = [
      {},
      { uid: OTHER_POD_UID, name: "bank", containers: [{ name: "vault", id: OTHER_CONTAINER_ID }] },
    ];
    await poll();
    const found = await attest(cgroupOf(POD_UID, OTHER_CONTAINER_ID));
    assert.ok(!valuesOf(found).includes("container-name:vault"));
    assert.ok(prefixesOf(found).includes("container-name:"));
  });

  it("wakes a waiting caller when the kubelet lists its container", async () => {
    const { clock, kubelet, pods, attest } = setUp();
    const over = new AbortController();
    const running = pods.run(over.signal);
    const [first] = (await attest(cgroupOf())).undecided;
    const waiting = first?.retry?.when(over.signal);
    await clock.advance(500);
    assert.equal(pods.waiting, 1);
    kubelet.list = [{}];
    await clock.advance(250);
    await waiting;
    assert.deepEqual((await attest(cgroupOf())).undecided, []);
    over.abort();
    await running;
  });

  it("does not wait for the container where the pod is enough", async () => {
    const { clock, kubelet, pods, attest } = setUp();
    const over = new AbortController();
    const running = pods.run(over.signal);
    const [first] = (await attest(cgroupOf())).undecided;
    kubelet.list = [{ containers: [{}] }];
    await Promise.all([first?.retry?.when(over.signal), clock.advance(25)]);
    const found = await attest(cgroupOf());
    assert.ok(valuesOf(found).includes("sa:web"));
    assert.equal(found.undecided[0]?.reason, "container_not_listed");
    over.abort();
    await running;
  });

  it("leaves labels of namespaces unknown until they are, and says nothing of them when off", async () => {
    const known = new Map([["shop", { team: "a" }]]);
    const namespaces = {
      of: (name: string) => known.get(name),
      problem: undefined,
      until: async () => {},
    };
    const { kubelet, attest, poll } = setUp({ namespaces });
    kubelet.list = [{}, { uid: OTHER_POD_UID, namespace: "new" }];
    assert.ok(prefixesOf(await attest(cgroupOf())).includes("ns-label:"));
    await poll();
    assert.ok(valuesOf(await attest(cgroupOf())).includes("ns-label:team:a"));
    const other = await attest(cgroupOf(OTHER_POD_UID));
    assert.deepEqual(prefixesOf(other), ["ns-label:"]);
    assert.equal(other.undecided[0]?.reason, "namespace_not_listed");
  });

  describe("with a token as second factor", () => {
    const required = (
      tokens: NonNullable<K8sAttestorDeps["podToken"]>["tokens"],
    ): Pick<K8sAttestorDeps, "podToken"> => ({ podToken: { mode: "required", tokens } });
    const tokensOf = (state: { problem: TokenProblem | undefined }) => ({
      problemOf: () => state.problem,
      detailOf: () => undefined,
      review: async () => {
        state.problem = undefined;
      },
    });

    it("says nothing of a pod, not even its UID, before its token was reviewed", async () => {
      const { attest } = setUp(required(tokensOf({ problem: "pod_token_not_reviewed" })));
      const found = await attest(cgroupOf());
      assert.deepEqual(found.selectors, []);
      const [doubt] = found.undecided;
      assert.deepEqual([doubt?.prefixes, doubt?.transient], [[], true]);
      await doubt?.retry?.when(never);
      assert.ok(valuesOf(await attest(cgroupOf())).includes(`pod-uid:${POD_UID}`));
    });

    it("takes a token of somebody else for none at all", async () => {
      const { attest } = setUp(required(tokensOf({ problem: "pod_token_of_another_pod" })));
      const found = await attest(cgroupOf());
      assert.deepEqual(found.selectors, []);
      assert.equal(found.undecided[0]?.transient, false);
      assert.equal(found.changed, undefined);
    });

    it("waits for a token that is missing: the driver may be about to bring it", async () => {
      const { clock, attest } = setUp(required(tokensOf({ problem: "pod_token_missing" })));
      const [doubt] = (await attest(cgroupOf())).undecided;
      assert.deepEqual([doubt?.transient, doubt?.retry?.waitMs], [true, 10_000]);
      await Promise.all([doubt?.retry?.when(never), clock.advance(1_000)]);
      assert.ok(valuesOf(await attest(cgroupOf())).includes(`pod-uid:${POD_UID}`));
    });

    for (const problem of ["pod_token_missing", "pod_token_refused"] as const) {
      it(`tells an open stream when it is no longer ${problem}`, async () => {
        const state = { problem: problem as TokenProblem | undefined, reviews: 0 };
        const tokens = {
          ...tokensOf(state),
          review: async () => {
            state.reviews += 1;
            if (state.reviews === 3) state.problem = undefined;
          },
        };
        const { clock, attest } = setUp(required(tokens));
        const found = await attest(cgroupOf());
        const changed = found.changed?.(never);
        assert.ok(changed !== undefined);
        for (let i = 0; i < 3; i += 1) await clock.advance(5_000);
        await changed;
        assert.equal(state.reviews, 3);
        assert.ok(valuesOf(await attest(cgroupOf())).includes(`pod-uid:${POD_UID}`));
      });
    }

    it("leaves the API server alone once the stream is over", async () => {
      const state = { problem: "pod_token_refused" as TokenProblem | undefined };
      const { attest } = setUp(required(tokensOf(state)));
      const over = new AbortController();
      const changed = (await attest(cgroupOf())).changed?.(over.signal);
      over.abort();
      await changed;
      assert.equal(state.problem, "pod_token_refused");
    });

    it("asks nothing of callers outside of pods", async () => {
      const { attest } = setUp(required(tokensOf({ problem: "pod_token_missing" })));
      assert.deepEqual(await attest("/system.slice/x.service"), { selectors: [], undecided: [] });
    });
  });

  it("tells an open stream of new labels", async () => {
    const { clock, kubelet, pods, attest, poll } = setUp();
    kubelet.list = [{}];
    await poll();
    const over = new AbortController();
    const running = pods.run(over.signal);
    const found = await attest(cgroupOf());
    let isTold = false;
    const told = found.changed?.(over.signal).then(() => {
      isTold = true;
    });
    await clock.advance(10_000);
    assert.equal(isTold, false);
    kubelet.list = [{ labels: { app: "other" } }];
    await clock.advance(5_000);
    assert.equal(isTold, true);
    await told;
    assert.ok(valuesOf(await attest(cgroupOf())).includes("pod-label:app:other"));
    over.abort();
    await running;
  });

  it("serves what cannot change while the kubelet is away, and labels for half a minute", async () => {
    const { clock, kubelet, attest, poll } = setUp();
    kubelet.list = [{}];
    await poll();
    kubelet.problem = new KubeletError("kubelet_unreachable", "away");
    await poll();
    await clock.advance(15_000);
    assert.deepEqual((await attest(cgroupOf())).undecided, []);
    await clock.advance(20_000);
    const late = await attest(cgroupOf());
    assert.ok(valuesOf(late).includes("sa:web"));
    assert.ok(valuesOf(late).includes("container-image:registry.test/web:1"));
    assert.ok(prefixesOf(late).includes("pod-label:"));
    assert.ok(prefixesOf(late).includes("pod-owner:"));
    assert.match(late.undecided[0]?.reason ?? "", /^kubelet_unreachable: /);
  });

  it("knows its containers still when a restarted kubelet lists nothing yet", async () => {
    const { clock, kubelet, attest, poll } = setUp();
    kubelet.list = [{}];
    await poll();
    kubelet.list = [];
    await poll();
    await clock.advance(60_000);
    const found = await attest(cgroupOf());
    assert.ok(valuesOf(found).includes("ns:shop"));
    assert.ok(prefixesOf(found).includes("pod-label:"));
  });

  it("asks again before it believes labels that it has not heard of for long", async () => {
    const { clock, kubelet, pods, attest, poll } = setUp();
    kubelet.list = [{}];
    await poll();
    await clock.advance(60_000);
    kubelet.list = [{ labels: { app: "other" } }];
    const [late] = (await attest(cgroupOf())).undecided;
    assert.equal(late?.reason, "labels_outdated");
    const over = new AbortController();
    const running = pods.run(over.signal);
    await Promise.all([late.retry?.when(over.signal), clock.advance(25)]);
    assert.ok(valuesOf(await attest(cgroupOf())).includes("pod-label:app:other"));
    over.abort();
    await running;
  });

  describe("with static pods", () => {
    const file = { "kubernetes.io/config.source": "file", "kubernetes.io/config.hash": hash };
    const mirror = { "kubernetes.io/config.mirror": hash, "kubernetes.io/config.hash": hash };
    const node = [{ kind: "Node", name: "node-1", uid: "n-1" }];
    const system = { namespace: "kube-system", name: "etcd-node-1", serviceAccountName: "" };
    const cgroup = cgroupOf(hash);

    const cases: readonly { name: string; list: readonly PodShape[]; problem?: RegExp }[] = [
      {
        name: "takes one of the node's files",
        list: [{ ...system, uid: hash, annotations: file }],
      },
      {
        name: "refuses one in another namespace",
        list: [{ ...system, uid: hash, annotations: file, namespace: "shop" }],
        problem: /^static_pod/,
      },
      {
        name: "takes its copy in the API",
        list: [{ ...system, annotations: mirror, ownerReferences: node }],
      },
      {
        name: "refuses a copy that no node owns",
        list: [{ ...system, annotations: mirror }],
        problem: /^mirror_pod/,
      },
      {
        name: "refuses a copy that another node owns",
        list: [
          {
            ...system,
            annotations: mirror,
            ownerReferences: [{ kind: "Node", name: "node-2", uid: "n-2" }],
          },
        ],
        problem: /^mirror_pod/,
      },
      {
        name: "refuses a copy on another node",
        list: [{ ...system, annotations: mirror, ownerReferences: node, nodeName: "node-2" }],
        problem: /^mirror_pod/,
      },
      {
        name: "refuses a copy in another namespace",
        list: [{ ...system, annotations: mirror, ownerReferences: node, namespace: "shop" }],
        problem: /^mirror_pod/,
      },
    ];
    for (const { name, list, problem } of cases) {
      it(name, async () => {
        const { kubelet, attest, poll } = setUp();
        kubelet.list = [...list];
        await poll();
        const found = await attest(cgroup);
        const values = valuesOf(found);
        assert.ok(values.includes(`pod-uid:${hash}`));
        assert.equal(values.includes("ns:kube-system"), problem === undefined);
        if (problem === undefined) return;
        assert.deepEqual(prefixesOf(found, false), everyPrefix);
        assert.match(found.undecided[0]?.reason ?? "", problem);
      });
    }

    it("never prefers a copy to the pod whose UID it claims", async () => {
      const { kubelet, attest, poll } = setUp();
      const claim = {
        "kubernetes.io/config.mirror": POD_UID,
        "kubernetes.io/config.hash": POD_UID,
      };
      const copy = { ...system, uid: OTHER_POD_UID, annotations: claim, ownerReferences: node };
      kubelet.list = [copy, {}];
      await poll();
      assert.ok(valuesOf(await attest(cgroupOf())).includes("ns:shop"));
    });

    it("takes neither of two copies", async () => {
      const { kubelet, attest, poll } = setUp();
      const copy = { ...system, annotations: mirror, ownerReferences: node };
      kubelet.list = [copy, { ...copy, uid: OTHER_POD_UID }];
      await poll();
      const found = await attest(cgroup);
      assert.deepEqual(valuesOf(found), [`pod-uid:${hash}`]);
      assert.deepEqual(prefixesOf(found), everyPrefix);
    });
  });
});
