// go-spiffe as a workload of our agent.

import { after, before, describe, it } from "node:test";
import { GoProgram } from "../support/foreign-builds.ts";
import { testChecks } from "../support/interop.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { endpoint, fetchStory, type WorkloadProgram, watchStory } from "./workload-stories.ts";

if (requires("go", "linux")) {
  describe("go-spiffe", () => {
    let machine: Machine;
    let built: GoProgram;
    let program: WorkloadProgram;

    before(async () => {
      machine = await Machine.start();
      built = await GoProgram.build("workload");
      const { file } = built;
      program = {
        fetch: (id, audience) => ({ file, args: ["fetch", "-id", id, "-audience", audience] }),
        watch: (updates) => ({ file, args: ["watch", "-updates", String(updates)] }),
      };
    });

    after(async () => {
      await built[Symbol.asyncDispose]();
      await machine[Symbol.asyncDispose]();
    });

    it("is refused while nothing is registered for its user", async (t) => {
      const refused = { file: built.file, args: ["refused"], env: endpoint(machine) };
      await testChecks(t, refused, ["no X509-SVID", "no JWT-SVID"]);
    });

    it("fetches and verifies SVIDs and bundles", async (t) => {
      await fetchStory(t, machine, program, [
        "X.509 context holds a verified SVID",
        "JWT-SVID for two audiences and a named subject",
        "JWT bundles verify the token locally",
        "the Workload API validates the token",
        "X509Source",
        "JWTSource",
        "BundleSource",
      ]);
    });

    it("watches its SVIDs", () => watchStory(machine, program));
  });
}
