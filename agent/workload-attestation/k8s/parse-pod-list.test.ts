import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  CONTAINER_ID,
  OTHER_POD_UID,
  POD_UID,
  podJson,
  podListJson,
} from "../../../test/support/pods.ts";
import { parsePodList } from "./parse-pod-list.ts";

const hash = "04a6c6ae04b0bd6c5fb6e3cd0e0b9f11";

describe("parsePodList", () => {
  it("reads what is used of a pod", () => {
    const sidecar = { name: "proxy", id: "c2", image: "proxy:1", imageID: "" };
    const json = podListJson(
      podJson({ initContainers: [sidecar], ephemeralContainers: [{ name: "debug" }] }),
    );
    assert.deepEqual(parsePodList(json), {
      unusable: 0,
      pods: [
        {
          uid: POD_UID,
          namespace: "shop",
          name: "web-0",
          serviceAccount: "web",
          nodeName: "node-1",
          labels: { app: "web" },
          owners: [{ kind: "StatefulSet", name: "web", uid: "s-1" }],
          containers: [
            {
              name: "app",
              containerId: CONTAINER_ID,
              image: "registry.test/web:1",
              imageId: "registry.test/web@sha256:aaaa",
            },
          ],
          initContainers: [{ name: "proxy", containerId: "c2", image: "proxy:1", imageId: "" }],
          ephemeralContainers: [
            {
              name: "debug",
              image: "registry.test/web:1",
              imageId: "registry.test/web@sha256:aaaa",
            },
          ],
          source: "api",
        },
      ],
    });
  });

  it("reads a pod that has no status yet, and a list without items", () => {
    const { metadata, spec } = Object(podJson());
    assert.deepEqual(parsePodList(podListJson({ metadata, spec })).pods[0]?.containers, []);
    assert.deepEqual(parsePodList('{"items":null}'), { pods: [], unusable: 0 });
  });

  it("tells a static pod from its copy in the API", () => {
    const annotations = { "kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash };
    const file = { ...annotations, "kubernetes.io/config.source": "file" };
    const { pods } = parsePodList(
      podListJson(podJson({ annotations }), podJson({ uid: hash, annotations: file })),
    );
    assert.deepEqual(
      pods.map(({ source, mirrorOf }) => [source, mirrorOf]),
      [
        ["api", hash],
        ["file", undefined],
      ],
    );
  });

  it("takes neither of two pods with one UID", () => {
    const twice = [podJson(), podJson({ name: "web-1" }), podJson({ uid: OTHER_POD_UID })];
    const { pods, unusable } = parsePodList(podListJson(...twice));
    assert.deepEqual([pods.map(({ uid }) => uid), unusable], [[OTHER_POD_UID], 2]);
  });

  const unusable: readonly { name: string; pod: unknown }[] = [
    { name: "no object", pod: 7 },
    { name: "without metadata", pod: { spec: {} } },
    { name: "without a UID", pod: podJson({ uid: "" }) },
    { name: "without a namespace", pod: podJson({ namespace: "" }) },
    { name: "with a label that is no text", pod: podJson({ labels: Object({ app: 1 }) }) },
    { name: "with labels that are a list", pod: podJson({ labels: Object([]) }) },
    { name: "with an owner without a name", pod: podJson({ ownerReferences: [Object({})] }) },
    { name: "with a name of 5000 characters", pod: podJson({ name: "x".repeat(5000) }) },
    { name: "with a container without a name", pod: podJson({ containers: [{ name: "" }] }) },
  ];
  for (const { name, pod } of unusable) {
    it(`passes over a pod ${name}, and takes the others`, () => {
      const list = parsePodList(podListJson(pod, podJson({ uid: OTHER_POD_UID })));
      assert.deepEqual([list.pods.length, list.unusable], [1, 1]);
    });
  }

  it("keeps a label called __proto__ a label", () => {
    const labels = Object(JSON.parse('{"__proto__":"x","app":"web"}'));
    const [pod] = parsePodList(podListJson(podJson({ labels }))).pods;
    assert.deepEqual(Object.keys(pod?.labels ?? {}), ["__proto__", "app"]);
  });

  for (const text of ["", "{", "[]", "null", '"x"', '{"items":{}}']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parsePodList(text), /^Error: pod list (is no|has no)/);
    });
  }

  it("throws nothing but its own errors on any JSON", () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (one, items) => {
        for (const text of [one, `{"items":${items}}`, `{"items":[${one},${items}]}`]) {
          try {
            parsePodList(text);
          } catch (err) {
            assert.match(String(err), /^Error: pod list/);
          }
        }
      }),
    );
  });
});
