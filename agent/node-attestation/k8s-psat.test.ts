import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { K8sPsatAttestor } from "./k8s-psat.ts";

async function open() {
  const dir = await TempDir.open();
  const tokenFile = dir.join("token");
  return {
    attestor: new K8sPsatAttestor({ cluster: "east", tokenFile }),
    tokenFile,
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

describe("K8sPsatAttestor", () => {
  it("presents the token that is in the file now, and the cluster's name", async () => {
    await using world = await open();
    for (const token of ["a.b.c", "d.e.f"]) {
      await writeFile(world.tokenFile, `${token}\n`);
      const payload = JSON.parse(Buffer.from(await world.attestor.payload()).toString());
      assert.deepEqual(payload, { cluster: "east", token });
    }
  });

  it("names the file when it cannot be read, and never what is in it", async () => {
    await using world = await open();
    await assert.rejects(world.attestor.payload(), {
      message: `k8s_psat: token file ${world.tokenFile} cannot be read`,
    });
    for (const text of ["", "secret", "a.b.c d", `a.b.${"c".repeat(17_000)}`]) {
      await writeFile(world.tokenFile, text);
      await assert.rejects(world.attestor.payload(), {
        message: `k8s_psat: token file ${world.tokenFile} must hold the token of a service account`,
      });
    }
  });

  it("knows no challenge", async () => {
    await using world = await open();
    await assert.rejects(world.attestor.answer(), /there is none/);
  });
});
