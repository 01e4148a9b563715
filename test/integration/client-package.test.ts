// The client library as its users get it: the tarball, installed into an empty folder.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { packClientLibrary } from "../../deploy/client-library/pack.ts";
import { TempDir } from "../support/temp-dir.ts";
import { WorkloadMachine } from "../support/workload-machine.ts";

const run = promisify(execFile);

const program = `
import { JwtSource, X509Source } from "@assay/spiffe";
const clock = {
  now: () => new Date(process.env.NOW),
  monotonicMs: () => performance.now(),
  sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
};
await using source = await X509Source.open({ clock });
await using tokens = await JwtSource.open({ clock });
const { id } = await tokens.jwtSvid({ audience: "orders" });
console.log(JSON.stringify({ x509: String(source.x509Svid().id), jwt: String(id) }));
`;

describe("the client library's tarball", () => {
  it("brings only what it needs, and works in an empty folder", { timeout: 120_000 }, async () => {
    await using machine = await WorkloadMachine.open();
    machine.views.grant("/web");
    await using dir = await TempDir.open();
    const tarball = await packClientLibrary(dir.join("packed"));
    await writeFile(dir.join("package.json"), JSON.stringify({ type: "module", private: true }));
    await run(
      "npm",
      ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", tarball],
      { cwd: dir.path },
    );
    const manifest = JSON.parse(
      await readFile(dir.join("node_modules", "@assay", "spiffe", "package.json"), "utf8"),
    );
    assert.deepEqual(Object.keys(manifest.dependencies), [
      "@bufbuild/protobuf",
      "@grpc/grpc-js",
      "jose",
    ]);
    await writeFile(dir.join("main.mjs"), program);
    const { stdout } = await run(process.execPath, [dir.join("main.mjs")], {
      cwd: dir.path,
      env: {
        ...process.env,
        SPIFFE_ENDPOINT_SOCKET: machine.address,
        NOW: "2026-06-01T12:00:00Z",
      },
    });
    const id = "spiffe://td.test/web";
    assert.deepEqual(JSON.parse(stdout), { x509: id, jwt: id });
  });
});
