// The client of spire-api-sdk as a delegate and that of go-spiffe as a broker, against our processes: who gets what for whom, who
// is refused, when it ends, and what the record says of it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { registerWorkload } from "../../deploy/local/user-entry.ts";
import type { AuditRecord } from "../../proto/audit/v1/record.ts";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { readJournal } from "../../runtime/journal/verify.ts";
import { ActingProgram } from "../support/acting-program.ts";
import { eventually } from "../support/eventually.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { Machine, trustDomain } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { endpoint } from "./workload-stories.ts";

const idOf = (path: string): string => `spiffe://${trustDomain}${path}`;

/** A workload with a stream of its own: prints its identities. */
class Workload implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** Serial number of its first SVID. */
  readonly serial: Promise<string>;

  constructor(file: string, env: Readonly<Record<string, string>>) {
    const child = spawn(file, [], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    this.serial = firstSerial(child);
    this.serial.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

async function firstSerial({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error("no standard output");
  for await (const line of createInterface({ input: stdout })) {
    const { event, serial } = JSON.parse(line) as { event: string; serial: string };
    if (event === "identity") return serial;
  }
  throw new Error("the workload got no identity");
}

if (requires("go", "linux")) {
  describe("acting for workloads", () => {
    let stack: AsyncDisposableStack;
    let machine: Machine;
    let delegate: GoProgram;
    let broker: GoProgram;
    let watch: GoProgram;
    let brokerSocket: string;

    before(async () => {
      stack = new AsyncDisposableStack();
      const folder = stack.use(await TempDir.open(0o755));
      brokerSocket = folder.join("broker.sock");
      machine = stack.use(
        await Machine.start({
          agent: {
            delegation: { delegates: [idOf("/delegate")] },
            broker: { brokers: [idOf("/broker")], socket: { path: brokerSocket } },
          },
        }),
      );
      delegate = stack.use(await GoProgram.build("delegate"));
      broker = stack.use(await GoProgram.build("broker"));
      watch = stack.use(await GoProgram.build("watch"));
      await register("/workload", watch.file);
    });

    after(() => stack.disposeAsync());

    const register = (path: string, file: string, more: readonly string[] = []): Promise<string> =>
      registerWorkload(
        machine.local,
        { path, selectors: [`unix:path:${file}`, ...more] },
        machine.signal,
      );
    const remove = async (id: string): Promise<void> => {
      const entries = machine.local.server.client(Entry);
      await entries.batchDeleteEntry({ ids: [id] }, machine.call);
    };
    const asDelegate = (...args: readonly string[]): ActingProgram => {
      const socket = machine.local.layout.agentAdminSocket;
      return new ActingProgram({ file: delegate.file, args: ["-socket", socket, ...args] });
    };
    const asBroker = (...args: readonly string[]): ActingProgram => {
      const provider = idOf(machine.local.agentPath);
      const common = ["-socket", brokerSocket, "-provider", provider];
      return new ActingProgram({
        file: broker.file,
        args: [...common, ...args],
        env: endpoint(machine),
      });
    };
    /** What the agent shipped to the server. */
    const records = async (action: string): Promise<readonly AuditRecord[]> => {
      const found: AuditRecord[] = [];
      const folder = join(machine.local.layout.serverData, "audit", "agents");
      for await (const chain of glob("*/*", { cwd: folder })) {
        for await (const { bytes } of readJournal(join(folder, chain))) {
          const record: AuditRecord = JSON.parse(Buffer.from(bytes).toString());
          if (record.action === action) found.push(record);
        }
      }
      return found;
    };

    it("a caller without a delegate's identity is refused, and the agent says why", async () => {
      const selectors = `unix:path:${watch.file}`;
      await using nobody = asDelegate("-selectors", selectors, "x509");
      assert.deepEqual(await nobody.next("ended"), {
        code: "PermissionDenied",
        message: "no identity issued",
      });
      const entry = await register("/somebody", delegate.file);
      await using somebody = asDelegate("-selectors", selectors, "x509");
      assert.deepEqual(await somebody.next("ended"), {
        code: "PermissionDenied",
        message: "caller is not a delegate",
      });
      const admin = machine.local.server.client(Admin);
      const { explanations } = await admin.explain({ recent: true }, machine.call);
      assert.equal(explanations[0]?.cause, "not_delegate");
      await remove(entry);
    });

    it("a delegate gets what selectors give, withdrawn when the entry goes, and keys of its own", async () => {
      const acting = await register("/delegate", delegate.file);
      const selectors = ["unix:path:/bin/test", "unix:user:app"];
      await using stream = asDelegate("-selectors", selectors.join(), "x509");
      assert.deepEqual(await stream.update(), [], "before there is an entry");
      const entry = await registerWorkload(
        machine.local,
        { path: "/app", selectors },
        machine.signal,
      );
      const [first] = await stream.update();
      assert.equal(first?.id, idOf("/app"));
      await using again = asDelegate("-selectors", selectors.join(), "x509");
      assert.deepEqual(await again.update(), [first], "the same holder, the same key");
      await using tokens = asDelegate("-selectors", selectors.join(), "jwt");
      assert.deepEqual(await tokens.next("tokens"), [{ id: idOf("/app") }]);
      await remove(entry);
      assert.deepEqual(await stream.update(), []);
      await using none = asDelegate("-selectors", selectors.join(), "jwt");
      assert.deepEqual(await none.next("ended"), {
        code: "PermissionDenied",
        message: "no identity issued",
      });
      await remove(acting);
      assert.deepEqual(await stream.next("ended"), {
        code: "PermissionDenied",
        message: "no identity issued",
      });
    });

    it("a delegate never gets an administrator's identity", async () => {
      const acting = await register("/delegate", delegate.file);
      const selectors = [{ type: "unix", value: "user:root-tool" }];
      const entries = machine.local.server.client(Entry);
      const { results } = await entries.batchCreateEntry(
        {
          entries: [
            {
              spiffeId: { trustDomain, path: "/admin" },
              parentId: { trustDomain, path: machine.local.agentPath },
              selectors,
              admin: true,
            },
          ],
        },
        machine.call,
      );
      await using stream = asDelegate("-selectors", "unix:user:root-tool", "x509");
      assert.deepEqual(await stream.update(), []);
      await remove(results[0]?.entry?.id ?? "");
      await remove(acting);
    });

    it("a delegate gets what a process has, until it ends", async () => {
      const acting = await register("/delegate", delegate.file);
      await using workload = new Workload(watch.file, endpoint(machine));
      await using stream = asDelegate("-pid", String(workload.pid), "x509");
      const [mine] = await stream.update();
      assert.equal(mine?.id, idOf("/workload"));
      assert.notEqual(mine?.serial, await workload.serial, "no key has two holders");
      await workload[Symbol.asyncDispose]();
      assert.deepEqual(await stream.next("ended"), {
        code: "NotFound",
        message: "process is not there",
      });
      await using late = asDelegate("-pid", String(workload.pid), "jwt");
      assert.deepEqual(await late.next("ended"), {
        code: "NotFound",
        message: "process is not there",
      });
      await remove(acting);
    });

    const wrong = [
      ["nothing", [], "selectors or pid must be specified"],
      ["both", ["-pid", "1", "-selectors", "unix:uid:1"], "selectors and pid exclude each other"],
      ["a negative PID", ["-pid", "-5"], "pid must be positive"],
    ] as const;
    it("a reference that names no workload is refused", async (t) => {
      const acting = await register("/delegate", delegate.file);
      for (const [name, args, message] of wrong) {
        await t.test(name, async () => {
          await using call = asDelegate(...args, "jwt");
          assert.deepEqual(await call.next("ended"), { code: "InvalidArgument", message });
        });
      }
      await remove(acting);
    });

    it("a broker gets what a process has, until it ends", async () => {
      const acting = await register("/broker", broker.file);
      await using workload = new Workload(watch.file, endpoint(machine));
      const pid = String(workload.pid);
      await using stream = asBroker("-pid", pid, "x509");
      const [mine] = await stream.update();
      assert.equal(mine?.id, idOf("/workload"));
      assert.notEqual(mine?.serial, await workload.serial);
      await using tokens = asBroker("-pid", pid, "jwt");
      assert.deepEqual(await tokens.next("tokens"), [{ id: idOf("/workload") }]);
      await using bundles = asBroker("-pid", pid, "x509-bundles");
      assert.deepEqual(await bundles.next("update"), [`spiffe://${trustDomain}`]);
      await workload[Symbol.asyncDispose]();
      const notFound = { code: "NotFound", reason: "WORKLOAD_NOT_FOUND", domain: "spiffe.io" };
      assert.deepEqual(await stream.next("ended"), notFound, "BR-21");
      assert.deepEqual(await bundles.next("ended"), notFound, "BR-21");
      await using late = asBroker("-pid", pid, "jwt");
      assert.deepEqual(await late.next("ended"), notFound, "BR-12");
      await remove(acting);
    });

    it("a broker's bad calls get the codes of the standard", async (t) => {
      const acting = await register("/broker", broker.file);
      const stranger = String(process.pid);
      const invalid = {
        code: "InvalidArgument",
        reason: "WORKLOAD_REFERENCE_INVALID",
        domain: "spiffe.io",
      };
      const header = {
        code: "InvalidArgument",
        reason: "security_header_missing",
        domain: "assay",
      };
      const cases = [
        ["BR-01: no security header", ["-header", "", "-pid", stranger], header],
        ["BR-01: another value", ["-header", "True", "-pid", stranger], header],
        ["BR-10: no reference", ["-type", "none"], invalid],
        ["BR-11: an unknown type", ["-type", "test.Unknown", "-pid", stranger], invalid],
        [
          "BR-14: an object of Kubernetes",
          ["-type", "spiffe.broker.KubernetesObjectReference", "-pid", stranger],
          invalid,
        ],
        ["BR-13: PID 0", ["-pid", "0"], invalid],
        ["BR-13: a negative PID", ["-pid", "-5"], invalid],
        [
          "BR-20: no entry",
          ["-pid", stranger],
          { code: "PermissionDenied", reason: "WORKLOAD_NOT_ENTITLED", domain: "spiffe.io" },
        ],
      ] as const;
      for (const [name, args, expected] of cases) {
        await t.test(name, async () => {
          await using call = asBroker(...args, "jwt");
          assert.deepEqual(await call.next("ended"), expected);
        });
      }
      await t.test("BR-24: no audience", async () => {
        await using call = asBroker("-pid", stranger, "-audience", "", "jwt");
        const ended = (await call.next("ended")) as { code: string };
        assert.equal(ended.code, "InvalidArgument");
      });
      await remove(acting);
    });

    it("BR-03: an identity that is no broker's is refused", async () => {
      const acting = await register("/somebody", broker.file);
      await using call = asBroker("-pid", "1", "jwt");
      assert.deepEqual(await call.next("ended"), {
        code: "PermissionDenied",
        reason: "not_broker",
        domain: "assay",
      });
      await remove(acting);
    });

    it("the record says who took what for whom", async () => {
      const delivered = (by: string, path: string): Promise<AuditRecord> =>
        eventually(`the record of ${by}`, async () =>
          (await records("svid.x509.deliver")).find(
            ({ subject, actors }) =>
              subject?.id === idOf(path) && actors.some(({ id }) => id === idOf(by)),
          ),
        );
      const toDelegate = await delivered("/delegate", "/app");
      const toBroker = await delivered("/broker", "/workload");
      const uid = `uid:${process.getuid?.()}`;
      assert.deepEqual(
        [toDelegate, toBroker].map(({ actors }) => actors.map(({ id }) => id)),
        [
          [uid, idOf("/delegate")],
          [uid, idOf("/broker")],
        ],
      );
      assert.match(String(toDelegate.details?.["instance"]), /\/delegate in \S+ for selectors:/);
      assert.match(String(toBroker.details?.["instance"]), /\/broker in \S+ for \S+/);
      await eventually("the record of each refusal", async () => {
        const refused = await records("workload.refuse");
        const reasons = new Set(refused.map(({ reasonCode }) => reasonCode));
        const expected = ["not_delegate", "not_broker", "process_gone", "no_entry"];
        return expected.every((reason) => reasons.has(reason)) || undefined;
      });
    });
  });
}
