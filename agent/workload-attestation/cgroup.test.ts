import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseCgroup } from "./cgroup.ts";

const id = "4f1c0a7e".repeat(8);
const outerId = "0b5e91d2".repeat(8);

describe("parseCgroup", () => {
  const cases = [
    { name: "cgroup v2, no unit", text: "0::/\n", want: { path: "/" } },
    {
      name: "a systemd service",
      text: "0::/system.slice/nginx.service\n",
      want: { path: "/system.slice/nginx.service", systemdUnit: "nginx.service" },
    },
    {
      name: "a user's service, not the user manager",
      text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mail.service\n",
      want: {
        path: "/user.slice/user-1000.slice/user@1000.service/app.slice/mail.service",
        systemdUnit: "user@1000.service/mail.service",
      },
    },
    {
      name: "a login session is no unit",
      text: "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n",
      want: { path: "/user.slice/user-1000.slice/user@1000.service/init.scope" },
    },
    {
      name: "docker with the systemd driver",
      text: `0::/system.slice/docker-${id}.scope\n`,
      want: { path: `/system.slice/docker-${id}.scope`, containerId: id, containerPath: id },
    },
    {
      name: "a container that a user's cgroups name",
      text: `0::/user.slice/user-1000.slice/user@1000.service/${id}\n`,
      want: {
        path: `/user.slice/user-1000.slice/user@1000.service/${id}`,
        containerId: id,
        containerPath: `user@1000.service/${id}`,
      },
    },
    {
      name: "a unit that another unit's cgroups name",
      text: "0::/system.slice/batch.service/nginx.service\n",
      want: {
        path: "/system.slice/batch.service/nginx.service",
        systemdUnit: "batch.service/nginx.service",
      },
    },
    {
      name: "a container in a container",
      text: `0::/docker/${outerId}/docker/${id}\n`,
      want: {
        path: `/docker/${outerId}/docker/${id}`,
        containerId: id,
        containerPath: `${outerId}/${id}`,
      },
    },
    {
      name: "docker with cgroupfs, v1 hierarchies",
      text: `12:memory:/docker/${id}\n3:cpu,cpuacct:/docker/${id}\n1:name=systemd:/\n`,
      want: { path: `/docker/${id}`, containerId: id, containerPath: id },
    },
    {
      name: "a hybrid hierarchy: the container wins over the longer path",
      text: `0::/a/very/long/path/that/says/nothing/about/where/this/process/really/runs/at/all/in/the/end\n4:pids:/docker/${id}\n`,
      want: { path: `/docker/${id}`, containerId: id, containerPath: id },
    },
    {
      name: "a path with a colon",
      text: "0::/system.slice/a:b.service\n",
      want: { path: "/system.slice/a:b.service", systemdUnit: "a:b.service" },
    },
  ];
  for (const { name, text, want } of cases) {
    it(`reads ${name}`, () => assert.deepEqual(parseCgroup(text), want));
  }

  it("does not take 65 hexadecimal digits for a container ID", () => {
    assert.equal(parseCgroup(`0::/docker/${id}a\n`).containerId, undefined);
  });

  it("refuses a text without a path", () => {
    assert.throws(() => parseCgroup("nonsense\n"), /names no path/);
  });

  it("throws nothing but its own error on any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          assert.ok(parseCgroup(text).path.startsWith("/"));
        } catch (err) {
          assert.match(String(err), /names no path/);
        }
      }),
    );
  });
});
