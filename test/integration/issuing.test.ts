// The signing core on what it really stands on: a store, keys and an audit log on disk, and signing threads.

import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { describe, it } from "node:test";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { JournalAuditLog } from "../../server/audit/journal-audit-log.ts";
import { queryAudit, whoHas } from "../../server/audit/query-audit.ts";
import { verifyAudit } from "../../server/audit/verify-audit.ts";
import { DiskKeyManager } from "../../server/keymanager/disk-key-manager.ts";
import { verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { type CaParts, openCaParts } from "../support/ca-parts.ts";
import { agentCall, workloadOrder } from "../support/ca-world.ts";
import { openSqliteStore } from "../support/open-store.ts";
import { TempDir } from "../support/temp-dir.ts";

interface Machine extends AsyncDisposable {
  readonly parts: CaParts;
  readonly audit: JournalAuditLog;
}

async function start(dir: TempDir, auditFolder = "audit"): Promise<Machine> {
  await using stack = new AsyncDisposableStack();
  const { log } = new RecordingLog();
  const clock = systemClock;
  const store = stack.use(await openSqliteStore(dir.join("store.db")));
  const keys = await DiskKeyManager.open(dir.join("keys"));
  const directory = dir.join(auditFolder);
  const audit = stack.use(
    await JournalAuditLog.open({ directory, writer: "server/a", clock, keys, log }),
  );
  const deps = { clock, random: systemRandom, store, keys, audit, log };
  const parts = stack.use(await openCaParts(deps, { threads: 2 }));
  const opened = stack.move();
  return { parts, audit, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Issues in every way at once; answers the leaves. */
async function issueMany({ ca, trustDomain }: CaParts): Promise<readonly Certificate[]> {
  const orders = Array.from({ length: 30 }, (_, n) => workloadOrder(trustDomain, `/w/${n}`));
  const batches = [orders.slice(0, 20), ...orders.slice(20).map((order) => [order])];
  const results = await Promise.all(batches.map((batch) => ca.signX509Svids(agentCall, batch)));
  return results.flat().map((result) => {
    assert.ok(result.issued);
    return Certificate.parse(result.svid.chainDer[0] ?? new Uint8Array());
  });
}

describe("issuing", () => {
  it("accounts for every certificate and token, and survives a restart", async () => {
    await using dir = await TempDir.open();
    let leaves: readonly Certificate[] = [];
    {
      await using machine = await start(dir);
      const { ca, bundle } = machine.parts;
      leaves = await issueMany(machine.parts);
      const { spiffeId, entry } = workloadOrder(machine.parts.trustDomain, "/w/0");
      assert.ok(entry);
      const order = { profile: "jwt_workload", spiffeId, entry, audiences: ["db"] } as const;
      const { token, jti } = await ca.signJwtSvid(agentCall, order);
      await verifyJwtSvid(token, bundle.feed.value, ["db"], systemClock.now());
      await machine.audit.flush();
      const named = [...leaves.map(({ serialNumberHex }) => serialNumberHex), jti];
      for (const name of named) {
        const history = await whoHas(dir.join("audit"), name);
        assert.match(history?.intent.subject?.id ?? "", /^spiffe:\/\/a\.test\/w\/\d+$/);
        assert.equal(history?.outcome?.decision, "allow");
      }
    }
    await using machine = await start(dir);
    const { bundle } = machine.parts;
    for (const leaf of [...leaves, ...(await issueMany(machine.parts))]) {
      verifyX509Svid([leaf], bundle.feed.value, systemClock.now());
    }
    const { findings, records } = await verifyAudit(dir.join("audit"), {
      witnessed: [await machine.audit.checkpoint()],
      trustedKeys: [machine.audit.publicKey],
    });
    assert.deepEqual(findings, []);
    assert.ok(records >= 50);
  });

  it("counts as issued what was under way when the machine stopped", async () => {
    await using dir = await TempDir.open();
    await using machine = await start(dir);
    const ref = await machine.audit.intent({ action: "svid.x509.issue", requestId: "lost" });
    // What is on the disk at this moment is what a machine without power would find.
    await cp(dir.join("audit"), dir.join("found"), { recursive: true });
    machine.audit.outcome(ref, { decision: "allow" });
    await machine[Symbol.asyncDispose]();
    await using _ = await start(dir, "found");
    const found = await Array.fromAsync(
      queryAudit(dir.join("found"), { action: "svid.x509.issue" }),
    );
    assert.deepEqual(
      found.map(({ record }) => [record.phase, record.decision, record.requestId]),
      [
        ["intent", "allow", "lost"],
        ["outcome", "unknown", "lost"],
      ],
    );
    assert.deepEqual((await verifyAudit(dir.join("found"))).findings, []);
  });
});
