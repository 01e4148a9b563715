// `assay files run` as a process, with those who read its files: OpenSSL, Java, a command that it looks after, spiffe-helper's configuration.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { unbuiltCommand } from "../../deploy/local/assay-command.ts";
import { eventually } from "../support/eventually.ts";
import { FilesWorld, PATIENCE } from "../support/files-world.ts";
import { trustDomain } from "../support/machine.ts";
import { requires } from "../support/requires.ts";

if (requires("linux", "openssl", "keytool")) {
  describe("assay files run as a process", () => {
    let world: FilesWorld;
    before(async () => {
      world = await FilesWorld.open();
      await world.grant("/java");
    });
    after(() => world[Symbol.asyncDispose]());

    it("writes PKCS#12 that OpenSSL and Java read", async () => {
      const password = "pass word";
      await writeFile(world.dir.join("password"), `${password}\n`);
      const stores = [
        ["key.p12", "identity"],
        ["trust.p12", "bundle"],
        ["all.p12", "identity, bundle"],
      ].map(
        ([name, holds]) =>
          `  - { name: ${name}, type: pkcs12, holds: [${holds}], passwordFile: ${world.dir.join("password")} }`,
      );
      const { code, errors } = await runOnce("pkcs12", stores.join("\n"));
      assert.equal(code, 0, errors);
      const folder = world.dir.join("pkcs12");

      const shown = tool(
        "openssl",
        "pkcs12",
        "-in",
        `${folder}/key.p12`,
        "-nodes",
        "-passin",
        `pass:${password}`,
      );
      assert.match(shown, /friendlyName: identity/);
      assert.match(shown, /BEGIN PRIVATE KEY/);
      const keytool = (store: string) =>
        tool("keytool", "-list", "-v", "-keystore", `${folder}/${store}`, "-storepass", password);
      const key = keytool("key.p12");
      assert.match(key, /Alias name: identity[\s\S]*Entry type: PrivateKeyEntry/);
      assert.match(key, new RegExp(`URIName: spiffe://${trustDomain}/java`));
      assert.match(keytool("trust.p12"), /Alias name: identity-ca-1[\s\S]*trustedCertEntry/);
      const all = keytool("all.p12");
      assert.match(all, /PrivateKeyEntry/);
      assert.match(all, /trustedCertEntry/);
    });

    it("ends as it should in an init container", async () => {
      const file = "  - { name: svid.pem, type: pem, holds: [chain] }";
      const { code, errors } = await runOnce("once", file);
      assert.equal(code, 0, errors);
      assert.match(await readFile(world.dir.join("once", "svid.pem"), "utf8"), /BEGIN CERTIFICATE/);
      const other = "identity: { hint: nobody }\n";
      const refused = await runOnce("refused", file, other);
      assert.equal(refused.code, 4, refused.errors);
      assert.match(refused.errors, /no identity within 1s/);
    });

    it("does what spiffe-helper does with its configuration", async () => {
      const said = world.dir.join("said");
      const script = world.dir.join("program.sh");
      await writeFile(
        script,
        `trap 'echo renewed >> ${said}' USR1\necho started >> ${said}\nwhile :; do sleep 0.05; done\n`,
      );
      const folder = world.dir.join("helper");
      const conf = world.dir.join("helper.conf");
      await writeFile(
        conf,
        `
agent_address = "${world.address.slice("unix://".length)}"
cmd = "sh"
cmd_args = "\\"${script}\\""
cert_dir = "${folder}"
renew_signal = "SIGUSR1"
svid_file_name = "svid.pem"
svid_key_file_name = "svid_key.pem"
svid_bundle_file_name = "svid_bundle.pem"
jwt_svids = [{jwt_audience="a", jwt_svid_file_name="jwt_svid.token"}]
jwt_bundle_file_name = "jwt_bundle.json"
key_file_mode = 0400
`,
      );
      const { file, args } = unbuiltCommand;
      const child = await world.start("helper", file, [...args, "files", "run", "-c", conf]);
      const heard = (text: string) =>
        eventually(
          `the program to say ${text}`,
          async () => ((await readFile(said, "utf8")) === text ? true : undefined),
          PATIENCE,
        );
      await heard("started\n");
      await world.rotateInFile("/java", `${folder}/svid.pem`);
      await heard("started\nrenewed\n");
      assert.equal((await stat(`${folder}/svid_key.pem`)).mode & 0o777, 0o400);
      const sets = JSON.parse(await readFile(`${folder}/jwt_bundle.json`, "utf8"));
      assert.deepEqual(Object.keys(sets), [trustDomain]);
      tool("openssl", "verify", "-CAfile", `${folder}/svid_bundle.pem`, `${folder}/svid.pem`);
      child.kill("SIGTERM");
      assert.deepEqual(await child.exited, { code: 128 + 15, signal: null });
    });

    /** One run with --once that waits for a second at most where no identity comes. */
    async function runOnce(
      name: string,
      files: string,
      more = "",
    ): Promise<{ readonly code: number; readonly errors: string }> {
      const path = world.dir.join(`${name}.yaml`);
      const directory = world.dir.join(name);
      await writeFile(
        path,
        `address: ${world.address}\ndirectory: ${directory}\n${more}files:\n${files}\n`,
      );
      const { file, args } = unbuiltCommand;
      const timeout = more === "" ? "30s" : "1s";
      const run = spawn(
        file,
        [...args, "files", "run", "-c", path, "--once", "--timeout", timeout],
        {
          stdio: ["ignore", "inherit", "pipe"],
        },
      );
      let errors = "";
      run.stderr.on("data", (chunk) => {
        errors += chunk;
      });
      const [code] = await once(run, "close");
      return { code, errors };
    }
  });
}

function tool(file: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: "utf8" });
  assert.equal(status, 0, `${file}: ${stdout}${stderr}`);
  return stdout;
}
