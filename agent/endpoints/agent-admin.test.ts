import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ExplainProcessRequestSchema } from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeWorkloadViews } from "../../test/fakes/fake-workload-views.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { selfFacts } from "../../test/support/self-facts.ts";
import type { AttestedCaller } from "../workload-attestation/attest.ts";
import { AgentAdminService } from "./agent-admin.ts";
import { Refusals } from "./refusals.ts";

const knownAs = (value: string, undecided: AttestedCaller["undecided"] = []): AttestedCaller => ({
  facts: selfFacts(),
  instance: { uid: 1, process: "1@1" },
  selectors: [{ type: "k8s", value }],
  undecided,
});

describe("AgentAdminService", () => {
  it("explains a process after what has to be asked for was told", async () => {
    const told = Promise.withResolvers<void>();
    const retry = { waitMs: 0, when: () => told.promise };
    const later = { type: "k8s", prefixes: ["ns:"], transient: true, reason: "later", retry };
    let attest = async (): Promise<AttestedCaller> => knownAs("pod-uid:1", [later]);
    const service = new AgentAdminService({
      views: new FakeWorkloadViews(),
      attest: () => attest(),
      refusals: new Refusals(new FakeClock()),
      info: () => ({ agentId: "spiffe://td.test/spire/agent/test/1" }),
    });
    const explained = service.explainProcess(
      create(ExplainProcessRequestSchema, { pid: process.pid }),
      {
        method: "/AgentAdmin/ExplainProcess",
        caller: { pid: 1, uid: 0, gid: 0 },
        connectionId: "c1",
        signal: new AbortController().signal,
        metadata: new Map(),
        log: new RecordingLog().log,
        requestId: "r1",
        setTrailer: () => {},
      },
    );
    attest = async () => knownAs("ns:shop");
    told.resolve();
    const { selectors, undecided } = await explained;
    assert.deepEqual(selectors, [{ type: "k8s", value: "ns:shop" }]);
    assert.deepEqual(undecided, []);
  });
});
