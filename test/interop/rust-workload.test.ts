// The Rust crate spiffe as a workload of our agent.

import { after, before, describe, it } from "node:test";
import { buildRust } from "../support/foreign-builds.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { fetchStory, type WorkloadProgram, watchStory } from "./workload-stories.ts";

if (requires("cargo", "linux")) {
  describe("the Rust crate spiffe", () => {
    let machine: Machine;
    let program: WorkloadProgram;

    before(async () => {
      const file = await buildRust();
      program = {
        fetch: (id, audience) => ({ file, args: ["fetch", id, audience] }),
        watch: (updates) => ({ file, args: ["watch", String(updates)] }),
      };
      machine = await Machine.start();
    });

    after(() => machine[Symbol.asyncDispose]());

    it("fetches and verifies SVIDs and bundles", async (t) => {
      await fetchStory(t, machine, program, [
        "X.509 context",
        "JWT-SVID that the bundle verifies",
        "the Workload API validates the token",
        "X509Source",
        "JwtSource",
      ]);
    });

    it("watches its SVIDs", () => watchStory(machine, program));
  });
}
