import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { cgroupPaths } from "../cgroup.ts";
import { headsOfAgent, headsOfRoot, type PodCgroup, podOfCgroup } from "./pod-cgroup.ts";

const podUid = "9cf4ab3b-0b1c-4f3a-8a5e-6f3a2d1f0c11";
const inSlice = podUid.replaceAll("-", "_");
const containerId = "4f1c0a7e".repeat(8);
const victimUid = "11111111-2222-3333-4444-555555555555";
const victimId = "0b5e91d2".repeat(8);
const configHash = "04a6c6ae04b0bd6c5fb6e3cd0e0b9f11";

const here: PodCgroup = { podUid, containerId };
const top = headsOfRoot("/");
const read = (text: string, heads = top): PodCgroup | undefined =>
  podOfCgroup(cgroupPaths(text), heads);

describe("podOfCgroup", () => {
  const cases: readonly {
    name: string;
    text: string;
    root?: string;
    want: PodCgroup | undefined;
  }[] = [
    {
      name: "v1 with cgroupfs, every controller",
      text: [
        `12:pids:/kubepods/besteffort/pod${podUid}/${containerId}`,
        `11:memory:/kubepods/besteffort/pod${podUid}/${containerId}`,
        `2:cpu,cpuacct:/kubepods/besteffort/pod${podUid}/${containerId}`,
        `1:name=systemd:/kubepods/besteffort/pod${podUid}/${containerId}`,
        "0::/",
      ].join("\n"),
      want: here,
    },
    {
      name: "hybrid, where the unified hierarchy says nothing",
      text: `4:memory:/kubepods/burstable/pod${podUid}/${containerId}\n0::/system.slice/containerd.service\n`,
      want: here,
    },
    {
      name: "hybrid, where only the unified hierarchy says something",
      text: `4:memory:/\n0::/kubepods/burstable/pod${podUid}/${containerId}\n`,
      want: here,
    },
    {
      name: "v2 with cgroupfs, a guaranteed pod",
      text: `0::/kubepods/pod${podUid}/${containerId}\n`,
      want: here,
    },
    {
      name: "v2 with systemd, containerd",
      text: `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${inSlice}.slice/cri-containerd-${containerId}.scope\n`,
      want: here,
    },
    {
      name: "v2 with systemd, CRI-O, a guaranteed pod",
      text: `0::/kubepods.slice/kubepods-pod${inSlice}.slice/crio-${containerId}.scope\n`,
      want: here,
    },
    {
      name: "CRI-O with crun, which puts the process one lower",
      text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${inSlice}.slice/crio-${containerId}.scope/container\n`,
      want: here,
    },
    {
      name: "CRI-O with cgroupfs",
      text: `0::/kubepods/burstable/pod${podUid}/crio-${containerId}\n`,
      want: here,
    },
    {
      name: "docker with systemd",
      text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${inSlice}.slice/docker-${containerId}.scope\n`,
      want: here,
    },
    {
      name: "podman's names",
      text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${inSlice}.slice/libpod-${containerId}.scope/container\n`,
      want: here,
    },
    {
      name: "a container with systemd inside",
      text: `0::/kubepods/besteffort/pod${podUid}/${containerId}/system.slice/nginx.service\n`,
      want: here,
    },
    {
      name: "a kubelet with systemd over a containerd with cgroupfs",
      text: `11:hugetlb:/kubepods-besteffort-pod${inSlice}.slice:cri-containerd:${containerId}\n`,
      want: here,
    },
    {
      name: "the same below containerd's unit",
      text: `0::/system.slice/containerd.service/kubepods-burstable-pod${inSlice}.slice:cri-containerd:${containerId}\n`,
      want: here,
    },
    {
      name: "a static pod",
      text: `0::/kubepods/burstable/pod${configHash}/${containerId}\n`,
      want: { podUid: configHash, containerId },
    },
    {
      name: "a static pod with systemd",
      text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${configHash}.slice/cri-containerd-${containerId}.scope\n`,
      want: { podUid: configHash, containerId },
    },
    {
      name: "a kubelet with a cgroup root",
      text: `0::/node2/kubepods/besteffort/pod${podUid}/${containerId}\n`,
      root: "/node2",
      want: here,
    },
    {
      name: "a cgroup root of two parts with systemd",
      text: `0::/a_b.slice/a_b-c.slice/a_b-c-kubepods.slice/a_b-c-kubepods-besteffort.slice/a_b-c-kubepods-besteffort-pod${inSlice}.slice/cri-containerd-${containerId}.scope\n`,
      root: "/a-b/c",
      want: here,
    },
    {
      name: "kind's node, seen from inside",
      text: `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${inSlice}.slice/cri-containerd-${containerId}.scope\n`,
      root: "/kubelet",
      want: here,
    },
    {
      name: "another pod of the agent's service class, from a cgroup namespace of its own",
      text: `0::/../../kubepods-besteffort-pod${inSlice}.slice/cri-containerd-${containerId}.scope\n`,
      want: here,
    },
    {
      name: "a pod of another service class, from a cgroup namespace",
      text: `0::/../../../burstable/pod${podUid}/${containerId}\n`,
      want: here,
    },
    {
      name: "a guaranteed pod, from a cgroup namespace",
      text: `0::/../../../kubepods-pod${inSlice}.slice/crio-${containerId}.scope\n`,
      want: here,
    },
    {
      name: "a pod, from a namespace that has only the top in common with it",
      text: `0::/../../kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${inSlice}.slice/crio-${containerId}.scope\n`,
      want: here,
    },
    { name: "a process of the host", text: "0::/system.slice/nginx.service\n", want: undefined },
    {
      name: "a process of the host, from a cgroup namespace",
      text: "0::/../../../../system.slice/nginx.service\n",
      want: undefined,
    },
    { name: "the agent's own container", text: "0::/\n", want: undefined },
    {
      name: "a container beside the agent's",
      text: `0::/../cri-containerd-${containerId}.scope\n`,
      want: undefined,
    },
    { name: "nothing but steps up", text: "0::/../..\n", want: undefined },
    {
      name: "a pod's cgroup without a container",
      text: `0::/kubepods/besteffort/pod${podUid}\n`,
      want: undefined,
    },
    {
      name: "the runtime's own process for a container",
      text: `0::/kubepods.slice/kubepods-pod${inSlice}.slice/crio-conmon-${containerId}.scope\n`,
      want: undefined,
    },
    {
      name: "a pod of another kubelet on this machine",
      text: `0::/node2/kubepods/besteffort/pod${podUid}/${containerId}\n`,
      want: undefined,
    },
    {
      name: "a docker container with a cluster inside, from outside",
      text: `0::/docker/${victimId}/kubepods/besteffort/pod${podUid}/${containerId}\n`,
      want: undefined,
    },
    {
      name: "a container that names a cgroup like another pod's",
      text: `0::/kubepods/besteffort/pod${podUid}/${containerId}/kubepods/besteffort/pod${victimUid}/${victimId}\n`,
      want: here,
    },
    {
      name: "a container that names a cgroup like another container of its pod",
      text: `0::/kubepods/besteffort/pod${podUid}/${containerId}/${victimId}\n`,
      want: here,
    },
    {
      name: "a docker container of the host that names a cgroup like a pod's",
      text: `0::/system.slice/docker-${containerId}.scope/kubepods/pod${victimUid}/${victimId}\n`,
      want: undefined,
    },
    {
      name: "the same, from a cgroup namespace",
      text: `0::/../../../../system.slice/docker-${containerId}.scope/kubepods/pod${victimUid}/${victimId}\n`,
      want: undefined,
    },
    {
      name: "a user's session that names a cgroup like a pod's",
      text: `0::/user.slice/user-1000.slice/user@1000.service/kubepods.slice/kubepods-pod${inSlice}.slice/crio-${victimId}.scope\n`,
      want: undefined,
    },
    {
      name: "a container ID that is too long",
      text: `0::/kubepods/besteffort/pod${podUid}/${containerId}a\n`,
      want: undefined,
    },
    {
      name: "a pod UID in capitals",
      text: `0::/kubepods/besteffort/pod${podUid.toUpperCase()}/${containerId}\n`,
      want: undefined,
    },
    {
      name: "steps up in the middle",
      text: `0::/kubepods/../kubepods/pod${podUid}/${containerId}\n`,
      want: undefined,
    },
    { name: "nonsense", text: "0::kubepods\n\n:::\n", want: undefined },
  ];
  for (const { name, text, root = "/", want } of cases) {
    it(`reads ${name}`, () => assert.deepEqual(read(text, headsOfRoot(root)), want));
  }

  it("refuses hierarchies that name different containers", () => {
    const text = `4:memory:/kubepods/pod${podUid}/${containerId}\n0::/kubepods/pod${victimUid}/${victimId}\n`;
    assert.throws(() => read(text), /different containers/);
  });

  it("never takes anything from below a container, whatever it is called", () => {
    const part = fc.oneof(
      fc.constantFrom(
        "kubepods",
        "kubepods.slice",
        "besteffort",
        `pod${victimUid}`,
        `kubepods-pod${victimUid.replaceAll("-", "_")}.slice`,
        `cri-containerd-${victimId}.scope`,
        victimId,
        "..",
        "",
      ),
      fc.string({ unit: "binary" }).map((text) => text.replaceAll(/[\n/]/g, "")),
    );
    const above = fc.constantFrom(
      `/kubepods/besteffort/pod${podUid}/${containerId}`,
      `/kubepods.slice/kubepods-pod${inSlice}.slice/crio-${containerId}.scope`,
      `/../../kubepods-besteffort-pod${inSlice}.slice/cri-containerd-${containerId}.scope`,
    );
    fc.assert(
      fc.property(above, fc.array(part, { maxLength: 6 }), (path, below) => {
        assert.deepEqual(podOfCgroup([[path, ...below].join("/")], top), here);
      }),
    );
  });

  it("finds no pod in what does not begin with the kubelet's own cgroup", () => {
    const part = fc.constantFrom("kubepods", "besteffort", `pod${victimUid}`, victimId, "x", "");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (below) => {
        const path = ["/system.slice/docker.service", ...below].join("/");
        assert.equal(podOfCgroup([path], top), undefined);
      }),
    );
  });

  it("throws nothing but its own error on any text", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), (paths) => {
        podOfCgroup(
          paths.map((path) => `/${path}`),
          top,
        );
      }),
    );
  });
});

describe("headsOfAgent", () => {
  it("takes the cgroup root of the kubelet that runs the agent", () => {
    const heads = headsOfAgent(["/", `/node2/kubepods/besteffort/pod${podUid}/${containerId}`]);
    assert.deepEqual(heads, [["node2", "kubepods"]]);
  });

  it("takes the inner kubelet's where clusters are nested", () => {
    const outer = `/kubepods/pod${victimUid}/${victimId}/kubelet.slice/kubelet-kubepods.slice`;
    const own = `${outer}/kubelet-kubepods-pod${inSlice}.slice/cri-containerd-${containerId}.scope`;
    const [head = []] = headsOfAgent([own]);
    assert.equal(`/${head.join("/")}`, outer);
    assert.deepEqual(podOfCgroup([own], [head]), here);
  });

  it("falls back to the top where the agent is in no pod, or cannot see its path", () => {
    assert.deepEqual(headsOfAgent(["/system.slice/assay-agent.service"]), top);
    assert.deepEqual(headsOfAgent(["/"]), top);
  });
});
