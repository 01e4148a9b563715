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

const serving = ["serve", "-trust-domain", "foreign.test"];

/** What the Go endpoint tells of itself. */
interface Told {
  readonly address: string;
  readonly bundle: string;
  readonly inside: string;
  readonly outside: string;
}

/** The Go program, running. */
class GoFederation<T> implements AsyncDisposable {
  readonly #child: ReturnType<typeof spawn>;
  readonly #lines: AsyncIterator<string>;

  constructor(file: string, args: readonly string[]) {
    this.#child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    const { stdout } = this.#child;
    assert.ok(stdout);
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** Waits for what it says about this. */
  async told(wanted: string): Promise<T> {
    for (;;) {
      const { done, value } = await this.#lines.next();
      assert.ok(!done, "the program ended");
      const { check, ok, detail } = JSON.parse(value);
      assert.ok(ok, String(detail));
      if (check === wanted) return detail;
    }
  }

  /** Lets the endpoint replace its authorities. */
  async rotate(): Promise<T> {
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

    /** The arguments of a program that reads our endpoint. */
    const reading = async (mode: string, dir: TempDir): Promise<readonly string[]> => {
      const file = dir.join("bundle.json");
      await writeFile(file, await ours.bundle());
      const endpoint = ["-endpoint-id", "spiffe://example.test/spire/server"];
      const url = ["-url", ours.bundleUrl, "-bundle", file];
      return [mode, "-trust-domain", "example.test", ...url, ...endpoint];
    };

    it("takes its bundle, follows its rotation, and keeps to the limits", async () => {
      await using go = new GoFederation<Told>(built.file, serving);
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
      await testChecks(t, { file: built.file, args: await reading("fetch", dir) }, [
        "bundle over https_spiffe",
        "another endpoint is refused",
        "bundle through a watch",
      ]);
    });

    it("shows a new authority to go-spiffe, which looks each second", async (t) => {
      await using dir = await TempDir.open();
      await using go = new GoFederation<{ x509: number }>(built.file, await reading("watch", dir));
      const before = await go.told("bundle");
      const started = performance.now();
      await ours.assay("authority", "prepare", "x509");
      const after = await go.told("bundle");
      t.diagnostic(`prepared to seen: ${(performance.now() - started).toFixed(0)} ms`);
      assert.deepEqual([before.x509, after.x509], [1, 2]);
    });
  });
}
