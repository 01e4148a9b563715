import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type InstanceFacts,
  type InstanceScope,
  instanceKey,
  parseInstanceScope,
} from "./instance.ts";

const bare: InstanceFacts = { uid: 1000, process: "4711@88" };
const inUnit: InstanceFacts = { ...bare, systemdUnit: "billing.service" };
const inContainer: InstanceFacts = { ...inUnit, containerId: "c1" };
const inPod: InstanceFacts = { ...inContainer, podUid: "p1" };

const cases: readonly { name: string; scope: InstanceScope; facts: InstanceFacts; key: string }[] =
  [
    { name: "a pod is one instance", scope: "platform", facts: inPod, key: "pod:p1" },
    {
      name: "a container outside a pod is",
      scope: "platform",
      facts: inContainer,
      key: "container:c1",
    },
    { name: "else a systemd unit", scope: "platform", facts: inUnit, key: "unit:billing.service" },
    {
      name: "a delegate is one for each workload",
      scope: "platform",
      facts: { ...inPod, delegate: "spiffe://td.test/proxy in pod:p2" },
      key: "spiffe://td.test/proxy in pod:p2 for pod:p1",
    },
    {
      name: "also where it names selectors",
      scope: "process",
      facts: { ...bare, delegate: "spiffe://td.test/proxy in uid:0", selectors: "abc" },
      key: "spiffe://td.test/proxy in uid:0 for selectors:abc",
    },
    {
      name: "shared stays shared",
      scope: "shared",
      facts: { ...bare, delegate: "spiffe://td.test/proxy in uid:0" },
      key: "shared",
    },
    { name: "else all of a uid", scope: "platform", facts: bare, key: "uid:1000" },
    {
      name: "container: told apart in one pod",
      scope: "container",
      facts: inPod,
      key: "container:c1",
    },
    {
      name: "container: without one, the unit",
      scope: "container",
      facts: inUnit,
      key: "unit:billing.service",
    },
    {
      name: "container: where only the pod is known, the pod",
      scope: "container",
      facts: { ...bare, podUid: "p1" },
      key: "pod:p1",
    },
    {
      name: "pod: outside a pod, the container",
      scope: "pod",
      facts: inContainer,
      key: "container:c1",
    },
    { name: "process: each on its own", scope: "process", facts: inPod, key: "process:4711@88" },
    { name: "shared: all one", scope: "shared", facts: inPod, key: "shared" },
  ];

describe("instanceKey", () => {
  for (const { name, scope, facts, key } of cases) {
    it(name, () => assert.equal(instanceKey(scope, facts), key));
  }
});

describe("parseInstanceScope", () => {
  it("knows the four scopes, and leaves all else to the platform", () => {
    const texts = ["pod", "container", "process", "shared", "", "Shared", "node"];
    assert.deepEqual(texts.map(parseInstanceScope), [
      "pod",
      "container",
      "process",
      "shared",
      "platform",
      "platform",
      "platform",
    ]);
  });
});
