import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import type { Findings } from "../workload-attestation/workload-attestor.ts";
import { attestProcess } from "./attest-process.ts";

const { signal } = new AbortController();

const knownAs = (value: string, undecided: Findings["undecided"] = []): Findings => ({
  selectors: [{ type: "k8s", value }],
  undecided,
});

describe("attestProcess", () => {
  it("waits for what has to be asked for until it was told", async () => {
    const told = Promise.withResolvers<void>();
    const retry = { waitMs: 0, when: () => told.promise };
    const later = { type: "k8s", prefixes: ["ns:"], transient: true, reason: "later", retry };
    let attest = async (): Promise<Findings> => knownAs("pod-uid:1", [later]);
    const attestors = [{ type: "k8s", attest: () => attest() }];
    const attested = attestProcess({ attestors, timeLimitMs: 5_000 }, process.pid, signal);
    attest = async () => knownAs("ns:shop");
    told.resolve();
    const { selectors, undecided } = await attested;
    assert.deepEqual(selectors, [{ type: "k8s", value: "ns:shop" }]);
    assert.deepEqual(undecided, []);
  });

  it("says so when there is no such process", async () => {
    await assert.rejects(attestProcess({ attestors: [], timeLimitMs: 5_000 }, 4_194_304, signal), {
      code: Status.NOT_FOUND,
      reason: "process_gone",
    });
  });
});
