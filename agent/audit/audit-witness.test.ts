import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type AuditHead, AuditHeadSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { createLogger } from "../../runtime/log.ts";
import { AuditWitness } from "./audit-witness.ts";

const log = createLogger({ level: "error", format: "json", destination: { write: () => {} } });

function head(seq: number, hash: number, writer = "server/a"): AuditHead {
  return create(AuditHeadSchema, { writer, seq: BigInt(seq), hash: Uint8Array.of(hash) });
}

describe("the witness of the server's audit log", () => {
  it("follows a log that grows", () => {
    const witness = new AuditWitness(log, [head(5, 1)]);
    witness.see(head(9, 2));
    assert.equal(witness.newest?.seq, 9n);
  });

  it("keeps what it saw of a log that was cut, however far it grows again", () => {
    const witness = new AuditWitness(log, []);
    for (const seq of [100, 50, 101, 200]) witness.see(head(seq, seq));
    assert.equal(witness.newest?.seq, 100n);
    assert.deepEqual(witness.newest?.hash, Uint8Array.of(100));
  });

  it("keeps what it saw of a log with another record in the same place", () => {
    const witness = new AuditWitness(log, [head(5, 1)]);
    for (const each of [head(5, 2), head(6, 3)]) witness.see(each);
    assert.deepEqual(witness.newest?.hash, Uint8Array.of(1));
  });

  it("holds a dispute over a restart: the log cannot grow back into favour meanwhile", () => {
    const before = new AuditWitness(log, [head(100, 1)]);
    before.see(head(50, 2));
    const after = new AuditWitness(log, before.seen, before.disputed);
    after.see(head(200, 3));
    assert.equal(after.newest?.seq, 100n);
    assert.deepEqual(after.disputed, ["server/a"]);
  });

  it("does not hold one server's log against another", () => {
    const witness = new AuditWitness(log, [head(5, 1)]);
    witness.see(head(4, 1));
    witness.see(head(3, 1, "server/b"));
    witness.see(head(7, 2, "server/b"));
    assert.equal(witness.newest?.seq, 7n);
    assert.deepEqual(
      witness.seen.map(({ seq }) => seq),
      [5n, 7n],
    );
  });
});
