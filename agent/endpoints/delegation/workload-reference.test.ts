import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  WorkloadPIDReferenceSchema,
  WorkloadReferenceSchema,
} from "../../../proto/gen/spiffe/broker/api_pb.ts";
import { SelectorSchema } from "../../../proto/gen/spire/api/types/selector_pb.ts";
import { StatusError } from "../../../runtime/errors/status-error.ts";
import { FakeRandom } from "../../../test/fakes/fake-random.ts";
import { readBrokerReference, readDelegatedReference } from "./workload-reference.ts";

const selector = (value: string) => create(SelectorSchema, { type: "unix", value });
const brokerReference = (value: Uint8Array) =>
  create(WorkloadReferenceSchema, {
    reference: { typeUrl: "type.googleapis.com/spiffe.broker.WorkloadPIDReference", value },
  });

describe("readDelegatedReference", () => {
  it("takes selectors as a set", () => {
    const request = { selectors: [selector("b"), selector("a"), selector("b")], pid: 0 };
    assert.deepEqual(readDelegatedReference(request), {
      kind: "selectors",
      selectors: [
        { type: "unix", value: "a" },
        { type: "unix", value: "b" },
      ],
    });
  });

  it("takes a PID", () => {
    assert.deepEqual(readDelegatedReference({ selectors: [], pid: 7 }), {
      kind: "process",
      pid: 7,
    });
  });

  const refused = [
    ["nothing", { selectors: [], pid: 0 }],
    ["both", { selectors: [selector("a")], pid: 7 }],
    ["a negative PID", { selectors: [], pid: -1 }],
    ["a selector without value", { selectors: [selector("")], pid: 0 }],
    ["too many selectors", { selectors: Array(257).fill(selector("a")), pid: 0 }],
    ["an endless selector", { selectors: [selector("a".repeat(5_000))], pid: 0 }],
  ] as const;
  for (const [name, request] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => readDelegatedReference(request), { code: 3 });
    });
  }
});

describe("readBrokerReference", () => {
  it("takes a PID", () => {
    const message = create(WorkloadReferenceSchema, {
      reference: anyPack(
        WorkloadPIDReferenceSchema,
        create(WorkloadPIDReferenceSchema, { pid: 7 }),
      ),
    });
    assert.deepEqual(readBrokerReference(message), { kind: "process", pid: 7 });
  });

  it("refuses whatever else is in it, and nothing but refuses", () => {
    const random = new FakeRandom();
    const valid = toBinary(
      WorkloadPIDReferenceSchema,
      create(WorkloadPIDReferenceSchema, { pid: 4711 }),
    );
    for (let i = 0; i < 2_000; i += 1) {
      const bytes = Uint8Array.from(i % 2 === 0 ? valid : random.bytes(1 + (i % 40)));
      bytes[i % bytes.length] = random.bytes(1)[0] ?? 0;
      try {
        const reference = readBrokerReference(brokerReference(bytes));
        assert.ok(reference.kind === "process" && reference.pid > 0);
      } catch (err) {
        assert.ok(err instanceof StatusError && err.code === 3, String(err));
      }
    }
  });
});
