import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseNamespace } from "./namespace.ts";
import { parseNode } from "./node.ts";
import { hasStopped, parsePod } from "./pod.ts";

const metadata = {
  name: "web-1",
  namespace: "apps",
  uid: "0f2c7b1e-4a0e-4c1e-9b0f-1f2d3c4b5a69",
  resourceVersion: "7",
  labels: { app: "web" },
  annotations: { short: "x", "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(5000) },
  ownerReferences: [
    { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs-1", controller: true },
  ],
  managedFields: [{ manager: "kubelet" }],
};

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata,
  spec: {
    nodeName: "node-1",
    serviceAccountName: "web",
    volumes: [{ name: "v" }],
    initContainers: [{ name: "init", image: "init:1", env: [] }],
    containers: [{ name: "app", image: "app:1" }],
  },
  status: {
    phase: "Running",
    podIPs: [{ ip: "10.0.0.1" }],
    hostIP: "192.0.2.1",
    initContainerStatuses: [{ name: "init", state: { terminated: { exitCode: 0 } } }],
    containerStatuses: [
      { name: "app", imageID: "app@sha256:aa", state: { running: { startedAt: "x" } } },
    ],
  },
};

describe("parsePod", () => {
  it("keeps what is used and nothing else", () => {
    assert.deepEqual(parsePod(pod), {
      uid: metadata.uid,
      name: "web-1",
      namespace: "apps",
      labels: { app: "web" },
      annotations: { short: "x" },
      ownerReferences: metadata.ownerReferences,
      nodeName: "node-1",
      serviceAccountName: "web",
      hostname: undefined,
      subdomain: undefined,
      phase: "Running",
      containers: [
        { name: "init", kind: "init", image: "init:1", state: "terminated" },
        {
          name: "app",
          kind: "regular",
          image: "app:1",
          imageId: "app@sha256:aa",
          state: "running",
        },
      ],
      podIps: ["10.0.0.1"],
      hostIp: "192.0.2.1",
    });
  });

  it("reads a pod that was only just made", () => {
    const { phase, containers, labels } = parsePod({
      metadata: { name: "a", namespace: "b", uid: "c" },
      spec: { containers: [{ name: "app" }] },
    });
    assert.equal(phase, "Pending");
    assert.deepEqual(labels, {});
    assert.deepEqual(containers, [{ name: "app", kind: "regular", image: "", state: "waiting" }]);
  });

  for (const { name, raw, message } of [
    { name: "nothing", raw: undefined, message: /^pod: : / },
    { name: "no UID", raw: { ...pod, metadata: { ...metadata, uid: undefined } }, message: /uid/ },
    {
      name: "a UID that is a path",
      raw: { ...pod, metadata: { ...metadata, uid: "../x" } },
      message: /^pod: metadata.uid: expected a UID$/,
    },
    {
      name: "no namespace",
      raw: { ...pod, metadata: { ...metadata, namespace: undefined } },
      message: /expected a namespace/,
    },
    { name: "a phase unheard of", raw: { ...pod, status: { phase: "Gone" } }, message: /phase/ },
    {
      name: "a label that is no text",
      raw: { ...pod, metadata: { ...metadata, labels: { a: 1 } } },
      message: /metadata.labels.a/,
    },
    {
      name: "a deletion at no time",
      raw: { ...pod, metadata: { ...metadata, deletionTimestamp: "now" } },
      message: /deletionTimestamp/,
    },
  ]) {
    it(`refuses ${name}`, () => assert.throws(() => parsePod(raw), { message }));
  }
});

describe("hasStopped", () => {
  const withState = (state: object, phase = "Running") =>
    parsePod({
      metadata,
      spec: { containers: [{ name: "app" }] },
      status: { phase, containerStatuses: [{ name: "app", state }] },
    });

  it("is true once no container runs and none will", () => {
    assert.equal(hasStopped(withState({ running: {} })), false);
    assert.equal(hasStopped(withState({ waiting: {} })), false);
    assert.equal(hasStopped(withState({ terminated: {} })), true);
    assert.equal(hasStopped(withState({ running: {} }, "Succeeded")), true);
    assert.equal(hasStopped(withState({ running: {} }, "Failed")), true);
  });
});

describe("parseNode", () => {
  it("keeps addresses and labels", () => {
    const node = parseNode({
      metadata: { name: "node-1", uid: "n-1", labels: { zone: "a" } },
      spec: { podCIDR: "10.0.0.0/24", providerID: "kind://node-1" },
      status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }], images: [{}] },
    });
    assert.deepEqual(node, {
      uid: "n-1",
      name: "node-1",
      labels: { zone: "a" },
      annotations: {},
      ownerReferences: [],
      addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
      providerId: "kind://node-1",
    });
  });
});

describe("parseNamespace", () => {
  it("reads when it was asked to go", () => {
    const { deletionTimestamp } = parseNamespace({
      metadata: { name: "apps", uid: "ns-1", deletionTimestamp: "2026-03-01T12:00:00Z" },
    });
    assert.deepEqual(deletionTimestamp, new Date("2026-03-01T12:00:00Z"));
  });
});
