// The Python package spiffe as a workload of our agent.

import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ensurePythonEnvironment } from "../support/foreign-builds.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { fetchStory, type WorkloadProgram, watchStory } from "./workload-stories.ts";

if (requires("python", "linux")) {
  describe("the Python package spiffe", () => {
    let machine: Machine;
    let program: WorkloadProgram;

    before(async () => {
      const file = await ensurePythonEnvironment();
      const script = join(import.meta.dirname, "python", "workload.py");
      program = {
        fetch: (id, audience) => ({ file, args: [script, "fetch", id, audience] }),
        watch: (updates) => ({ file, args: [script, "watch", String(updates)] }),
      };
      machine = await Machine.start();
    });

    after(() => machine[Symbol.asyncDispose]());

    it("fetches and verifies SVIDs and bundles", async (t) => {
      await fetchStory(t, machine, program, [
        "X.509 context holds a signed SVID",
        "JWT-SVID that the bundle verifies",
        "the Workload API validates the token",
        "X509Source",
        "JwtSource",
      ]);
    });

    it("watches its SVIDs", () => watchStory(machine, program));
  });
}
