// go-spiffe's federation package on the other side: as the endpoint of a trust domain that we trust, and as one that trusts us.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { JwtSource } from "../../spiffe/client.ts";
import { eventually } from "../support/eventually.ts";
import { GoProgram } from "../support/foreign-builds.ts";
import { testChecks } from "../support/interop.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { FederatedMachine } from "./federated-machine.ts";

/** What the Go endpoint tells of itself. */
interface Told {
  readonly address: string;
  readonly bundle: string;
  readonly inside: string;
  readonly outside: string;
}

/** The Go endpoint, running. */
class GoEndpoint implements AsyncDisposable {
  readonly #child: ReturnType<typeof spawn>;
  readonly #lines: AsyncIterator<string>;

  constructor(file: string, trustDomain: string) {
    this.#child = spawn(file, ["serve", "-trust-domain", trustDomain], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.#child;
    assert.ok(stdout);
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** Waits for what it says about this. */
  async told(wanted: string): Promise<Told> {
    for (;;) {
      const { done, value } = await this.#lines.next();
      assert.ok(!done, "the endpoint ended");
      const { check, ok, detail } = JSON.parse(value);
      assert.ok(ok, String(detail));
      if (check === wanted) return detail;
    }
  }

  async rotate(): Promise<Told> {
    this.#child.stdin?.write("\n");
    return this.told("rotated");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill();
    await ended;
  }
}

if (requires("go", "linux")) {
  describe("federation with go-spiffe", () => {
    let ours: FederatedMachine;
    let built: GoProgram;
    before(async () => {
      [ours, built] = await Promise.all([
        FederatedMachine.start("example.test"),
        GoProgram.build("federation"),
      ]);
    });
    after(async () => {
      await built?.[Symbol.asyncDispose]();
      await ours?.[Symbol.asyncDispose]();
    });

    it("takes its bundle, follows its rotation, and keeps to the limits", async () => {
      await using go = new GoEndpoint(built.file, "foreign.test");
      const told = await go.told("listening");
      const args = [
        ...["federation", "create", "foreign.test", "--profile", "https_spiffe"],
        ...["--url", `https://${told.address}/`, "--endpoint-id", "spiffe://foreign.test/endpoint"],
        ...["--allow-id", "/payments/**", "--allow-audience", "billing", "--bundle", "-"],
      ];
      const created = await ours.run(args, told.bundle);
      assert.equal(created.code, ExitCode.ok, created.err);
      await ours.register("/shop", "--federates-with", "foreign.test");
      await using source = await JwtSource.open({ address: ours.endpointSocket });
      assert.equal(
        (await source.validate(told.inside, "billing")).id.toString(),
        "spiffe://foreign.test/payments/api",
      );
      await assert.rejects(source.validate(told.outside, "billing"), { reason: "federation_id" });

      const rotated = await go.rotate();
      await assert.rejects(source.validate(rotated.inside, "billing"), { reason: "jws_key_id" });
      const shown = await ours.assay("federation", "refresh", "foreign.test");
      assert.equal(shown.sequence, 2);
      await eventually("the new key", () =>
        source.validate(rotated.inside, "billing").then(
          () => true,
          () => undefined,
        ),
      );
      await source.verify(rotated.inside, ["billing"]);
      await ours.assay("federation", "delete", "foreign.test", "--wait");
      await assert.rejects(source.validate(rotated.inside, "billing"), {
        reason: "bundle_not_found",
      });
    });

    it("gives its bundle to go-spiffe", async (t) => {
      await using dir = await TempDir.open();
      await writeFile(dir.join("bundle.json"), await ours.bundle());
      const args = [
        ...["fetch", "-trust-domain", "example.test", "-url", ours.bundleUrl],
        ...["-endpoint-id", "spiffe://example.test/spire/server"],
        ...["-bundle", dir.join("bundle.json")],
      ];
      await testChecks(t, { file: built.file, args }, [
        "bundle over https_spiffe",
        "another endpoint is refused",
        "bundle through a watch",
      ]);
    });
  });
}
