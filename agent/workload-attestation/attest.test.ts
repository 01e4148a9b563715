import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OTHER_POD_UID, POD_UID } from "../../test/support/pods.ts";
import { selfFacts } from "../../test/support/self-facts.ts";
import { attestCaller, type CallingPeer } from "./attest.ts";
import type { Findings, WorkloadAttestor } from "./workload-attestor.ts";

const { pid, uid, gid, startTime } = selfFacts();
const credentials = { pid, uid, gid };
const never = new AbortController().signal;

const unix: WorkloadAttestor = {
  type: "unix",
  attest: async () => ({ selectors: [{ type: "unix", value: `uid:${uid}` }], undecided: [] }),
};

function attest(findings: Findings | Error, peer: Omit<CallingPeer, "credentials"> = {}) {
  const k8s: WorkloadAttestor = {
    type: "k8s",
    attest: async () => {
      if (findings instanceof Error) throw findings;
      return findings;
    },
  };
  const deps = { attestors: [unix, k8s], timeLimitMs: 5_000, isSameProcess: () => true };
  return attestCaller(deps, { credentials, ...peer }, never);
}

const inPod: Findings = {
  selectors: [{ type: "k8s", value: `pod-uid:${POD_UID}` }],
  undecided: [],
  instance: { podUid: POD_UID },
};
const nothing: Findings = { selectors: [], undecided: [] };

describe("attestCaller", () => {
  it("puts together what all attestors find", async () => {
    const { selectors, isForeign } = await attest(inPod, { socketPod: POD_UID });
    assert.deepEqual(
      selectors.map(({ type }) => type),
      ["unix", "k8s"],
    );
    assert.equal(isForeign, undefined);
  });

  it("says nothing of a process that only hands a call on", async () => {
    const found = await attest({ ...inPod, isRelayed: true }, { socketPod: POD_UID });
    assert.deepEqual(found.selectors, inPod.selectors);
    assert.deepEqual(found.instance, {
      uid,
      process: `${pid}@${startTime}@${POD_UID}`,
      podUid: POD_UID,
    });
    assert.equal(found.executable, undefined);
  });

  for (const [name, findings] of [
    ["of another pod", { ...nothing, instance: { podUid: OTHER_POD_UID } }],
    ["of no pod", nothing],
  ] as const) {
    it(`has no selectors at all for a caller ${name} on a pod's socket`, async () => {
      const found = await attest(findings, { socketPod: POD_UID });
      assert.deepEqual([found.selectors, found.isForeign], [[], true]);
    });
  }

  it("keeps what is undecided of a caller on a pod's socket open", async () => {
    const found = await attest(new Error("no"), { socketPod: POD_UID });
    assert.deepEqual(found.selectors, []);
    assert.deepEqual(found.undecided, [
      { type: "k8s", prefixes: [], transient: true, reason: "no" },
    ]);
  });
});
