// `assay csi run` as a process, called as a kubelet calls it, with real mounts in a mount namespace of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { Identity, Node } from "../../proto/gen/csi/v1/csi_pb.ts";
import { Registration } from "../../proto/gen/pluginregistration/registration_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { CsiMachine, DRIVER, type PodVolume, type PublishRequest } from "../support/csi-machine.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";

const pod: PodVolume = { podUid: "2b0bd1f0-5bd9-4a2e-8fe3-0ba0c2f9d7a1", volume: "spiffe" };

async function refusal(work: Promise<unknown>, code: number, text: RegExp): Promise<void> {
  await assert.rejects(work, (err) => {
    assert.ok(err instanceof StatusError, String(err));
    assert.deepEqual([err.code, text.test(err.message) || err.message], [code, true]);
    return true;
  });
}

/** Connects as a process in the pod does. */
async function reach(machine: CsiMachine, volume: PodVolume): Promise<void> {
  // The whole path is too long for the address of a socket.
  const short = machine.dir.join("pod");
  await symlink(machine.onNode(machine.targetPath(volume)), short);
  const workload = connect(`${short}/api.sock`);
  try {
    await once(workload, "connect");
  } finally {
    workload.destroy();
    await rm(short);
  }
}

if (requires("linux", "root", "mount")) {
  describe("the CSI driver", () => {
    let machine: CsiMachine;
    before(async () => {
      machine = await CsiMachine.start();
    });
    after(async () => {
      await machine[Symbol.asyncDispose]();
    });
    let count = 0;
    /** A volume that no other test has. */
    const another = (): PodVolume => ({ podUid: `pod-${++count}`, volume: "spiffe" });

    it("registers itself, and hears how that went", async () => {
      const { registrationSocket } = machine;
      await machine.call(Registration, registrationSocket, async (registration, call) => {
        const { type, name, endpoint, supportedVersions } = await registration.getInfo({}, call);
        assert.deepEqual(
          { type, name, endpoint, supportedVersions },
          {
            type: "CSIPlugin",
            name: DRIVER,
            endpoint: machine.driverSocket,
            supportedVersions: ["1.0.0"],
          },
        );
        await registration.notifyRegistrationStatus({ pluginRegistered: true }, call);
        await registration.notifyRegistrationStatus({ error: "no" }, call);
      });
      const log = await machine.log();
      assert.match(log, /Kubelet has registered the driver/);
      assert.match(log, /"detail":"no".*Kubelet did not register the driver/);
    });

    it("says what it is, and on which node", async () => {
      await machine.call(Identity, machine.driverSocket, async (identity, call) => {
        assert.equal((await identity.getPluginInfo({}, call)).name, DRIVER);
        await identity.getPluginCapabilities({}, call);
        await eventually("it to be ready", async () =>
          (await identity.probe({}, call)).ready === true ? true : undefined,
        );
      });
      await machine.call(Node, machine.driverSocket, async (node, call) => {
        assert.equal((await node.nodeGetInfo({}, call)).nodeId, "node-1");
        await node.nodeGetCapabilities({}, call);
      });
    });

    it("mounts the socket's folder read-only, and takes it out again", async () => {
      await machine.prepare(pod);
      await machine.publish(pod);
      const target = machine.targetPath(pod);
      const [options = "", ...others] = await machine.mountsAt(target);
      assert.equal(others.length, 0);
      for (const option of ["ro", "nosuid", "nodev", "noexec"]) {
        assert.ok(options.split(",").includes(option), `${option} in ${options}`);
      }
      assert.deepEqual(await readdir(machine.onNode(target)), ["api.sock", "spire-agent.sock"]);
      await assert.rejects(writeFile(machine.onNode(`${target}/x`), ""), { code: "EROFS" });
      // A workload gets through to the queue.
      await reach(machine, pod);
      await machine.unpublish(pod);
      assert.deepEqual(await machine.mountsAt(target), []);
      assert.deepEqual(await readdir(machine.folder(pod)), ["vol_data.json"]);
    });

    it("keeps the tokens that come for a pod, the newest, as long as its volume is there", async () => {
      const volume = another();
      const path = machine.dir.join("tokens", volume.podUid, volume.volume);
      await machine.prepare(volume);
      const { volumeContext } = machine.request(volume);
      for (const token of ["one", "two"]) {
        const tokens = JSON.stringify({ "assay-agent": { token } });
        await machine.publish(volume, {
          volumeContext: { ...volumeContext, "csi.storage.k8s.io/serviceAccount.tokens": tokens },
        });
        assert.equal(await readFile(path, "utf8"), tokens);
      }
      await machine.unpublish(volume);
      assert.equal(existsSync(path), false);
      assert.doesNotMatch(await machine.log(), /"one"|assay-agent/);
    });

    it("keeps no token for a volume that waits for an agent in vain", async () => {
      await using alone = await CsiMachine.open();
      await alone.configure({ publish: { waitFor: "agent", timeout: "100ms" } });
      await alone.startDriver();
      await alone.prepare(pod);
      const { volumeContext } = alone.request(pod);
      const tokens = { "csi.storage.k8s.io/serviceAccount.tokens": "{}" };
      const publishing = alone.publish(pod, { volumeContext: { ...volumeContext, ...tokens } });
      await refusal(publishing, Status.UNAVAILABLE, /no agent|no workload socket/);
      assert.equal(existsSync(alone.dir.join("tokens", pod.podUid)), false);
    });

    it("keeps no token for a volume that cannot be published", async () => {
      const volume = another();
      const { volumeContext } = machine.request(volume);
      const tokens = JSON.stringify({ "assay-agent": { token: "three" } });
      const published = machine.publish(volume, {
        volumeContext: { ...volumeContext, "csi.storage.k8s.io/serviceAccount.tokens": tokens },
      });
      await refusal(published, Status.FAILED_PRECONDITION, /made no folder/);
      assert.equal(existsSync(machine.dir.join("tokens", volume.podUid)), false);
    });

    it("does what was done already without doing it again", async () => {
      const volume = another();
      await machine.prepare(volume);
      for (let i = 0; i < 3; i++) await machine.publish(volume);
      assert.equal((await machine.mountsAt(machine.targetPath(volume))).length, 1);
      for (let i = 0; i < 3; i++) await machine.unpublish(volume);
      assert.equal(existsSync(machine.targetPath(volume)), false);
    });

    it("takes a mount out although somebody is in there", async () => {
      const volume = another();
      await machine.prepare(volume);
      await machine.publish(volume);
      const resident = spawn("sleep", ["60"], { cwd: machine.onNode(machine.targetPath(volume)) });
      await once(resident, "spawn");
      await machine.unpublish(volume);
      assert.equal(existsSync(machine.targetPath(volume)), false);
      resident.kill("SIGKILL");
      await once(resident, "exit");
    });

    it("knows its mounts after a crash, and so do its pods", async () => {
      await using crashed = await CsiMachine.start();
      await crashed.prepare(pod);
      await crashed.publish(pod);
      await crashed.crash();
      const files = await readdir(crashed.onNode(crashed.targetPath(pod)));
      assert.deepEqual(files, ["api.sock", "spire-agent.sock"]);
      await crashed.startDriver();
      await crashed.publish(pod);
      assert.equal((await crashed.mountsAt(crashed.targetPath(pod))).length, 1);
      // The new socket, in the old mount.
      await eventually("the socket", () => reach(crashed, pod).then(() => true));
      await crashed.unpublish(pod);
      assert.equal(existsSync(crashed.targetPath(pod)), false);
    });

    it("gives each volume a socket of its own where it is told to", async () => {
      const folder = "pod-sockets";
      await using own = await CsiMachine.open();
      await own.configure({ podSockets: { folder: own.dir.join(folder) } });
      await own.startDriver();
      const second = { ...pod, volume: "second" };
      for (const volume of [pod, second]) {
        await own.prepare(volume);
        await own.publish(volume);
        await own.publish(volume);
        await reach(own, volume);
      }
      assert.equal((await readdir(own.dir.join(folder))).length, 2);
      await own.crash();
      await own.startDriver();
      // The new socket, in the old mount.
      await eventually("the socket", () => reach(own, pod).then(() => true));
      await own.unpublish(pod);
      assert.equal((await readdir(own.dir.join(folder))).length, 1);
      await reach(own, second);
      const unready = another();
      await refusal(own.publish(unready), Status.FAILED_PRECONDITION, /no folder/);
    });

    const refused: Readonly<Record<string, { change: PublishRequest; says: RegExp }>> = {
      "without volume_id": { change: { volumeId: "" }, says: /^volume_id/ },
      "with an endless volume_id": { change: { volumeId: "x".repeat(257) }, says: /^volume_id/ },
      "that may be written": { change: { readonly: false }, says: /readOnly/ },
      "as a block device": {
        change: { volumeCapability: { accessType: { case: "block", value: {} } } },
        says: /not mount/,
      },
      "without capability": {
        change: { volumeCapability: { accessType: { case: undefined } } },
        says: /not mount/,
      },
      "with a file system": {
        change: { volumeCapability: { accessType: { case: "mount", value: { fsType: "ext4" } } } },
        says: /fs_type/,
      },
      "that is not ephemeral": { change: { volumeContext: {} }, says: /ephemeral=true/ },
      "of another pod": {
        change: {
          volumeContext: {
            "csi.storage.k8s.io/ephemeral": "true",
            "csi.storage.k8s.io/pod.uid": "another",
          },
        },
        says: /different pods/,
      },
      "at no path": { change: { targetPath: "" }, says: /^target_path/ },
      "in the host's /etc": { change: { targetPath: "/etc" }, says: /^target_path/ },
    };
    for (const [what, { change, says }] of Object.entries(refused)) {
      it(`refuses a volume ${what}`, async () => {
        const volume = another();
        await machine.prepare(volume);
        await refusal(machine.publish(volume, change), Status.INVALID_ARGUMENT, says);
        assert.equal(existsSync(machine.targetPath(volume)), false);
      });
    }

    it("follows no link, whichever folder is one", async () => {
      const volume = another();
      const outside = machine.dir.join(`outside-${volume.podUid}`);
      await mkdir(`${outside}/mount`, { recursive: true });
      const target = machine.targetPath(volume);
      const parts = target.split("/");
      // The pod's folder and everything below it.
      for (let length = parts.length - 4; length <= parts.length; length++) {
        await rm(machine.dir.join("kubelet", "pods", volume.podUid), {
          recursive: true,
          force: true,
        });
        await machine.prepare(volume);
        const path = parts.slice(0, length).join("/");
        await mkdir(target, { recursive: true });
        await rename(path, `${outside}/moved-${length}`);
        await symlink(`${outside}/moved-${length}`, path);
        await refusal(machine.publish(volume), Status.FAILED_PRECONDITION, /ENOTDIR/);
        await refusal(machine.unpublish(volume), Status.FAILED_PRECONDITION, /ENOTDIR/);
      }
      const mounts = await machine.mountsAt(`${outside}/mount`);
      assert.deepEqual(mounts, []);
    });

    it("leaves alone what is somebody else's", async () => {
      const foreign = another();
      await machine.prepare(foreign, "csi.other.test");
      await mkdir(machine.targetPath(foreign));
      await refusal(machine.publish(foreign), Status.FAILED_PRECONDITION, /another driver/);
      await refusal(machine.unpublish(foreign), Status.FAILED_PRECONDITION, /another driver/);
      assert.ok(existsSync(machine.targetPath(foreign)));

      const full = another();
      await machine.prepare(full);
      await mkdir(`${machine.targetPath(full)}/precious`, { recursive: true });
      await refusal(machine.unpublish(full), Status.FAILED_PRECONDITION, /ENOTEMPTY/);

      const odd = another();
      await machine.prepare(odd);
      await writeFile(`${machine.folder(odd)}/vol_data.json`, "{".repeat(100_000));
      await refusal(machine.publish(odd), Status.FAILED_PRECONDITION, /not as the kubelet/);
      await rm(`${machine.folder(odd)}/vol_data.json`);
      await symlink("/etc/passwd", `${machine.folder(odd)}/vol_data.json`);
      await refusal(machine.publish(odd), Status.FAILED_PRECONDITION, /ELOOP/);
    });

    it("refuses a volume that the kubelet has not prepared, and removes none that is not there", async () => {
      const volume = another();
      await refusal(machine.publish(volume), Status.FAILED_PRECONDITION, /no folder/);
      await machine.unpublish(volume);
      await refusal(
        machine.unpublish(volume, "/etc/mount"),
        Status.INVALID_ARGUMENT,
        /^target_path/,
      );
    });

    it("admits nobody to its sockets but root", async () => {
      for (const path of [machine.driverSocket, machine.registrationSocket, machine.holderSocket]) {
        assert.equal(statSync(path).mode & 0o777, 0o600);
      }
    });
  });
}
