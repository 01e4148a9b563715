// The page for people who federate, step by step as it stands there.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { parseConfig } from "../../runtime/config/load.ts";
import { serverConfigSchema } from "../../server/config/server-config.ts";
import { parseResource } from "../../server/registrar/resources/parse-resource.ts";
import { TrustDomain, X509Source } from "../../spiffe/client.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { FederatedMachine } from "./federated-machine.ts";

const page = await readFile("docs/consumers/federation.md", "utf8");

const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^( *)\`\`\`${language}\n([\\s\\S]*?)^ *\`\`\``, "gm"))].map(
    ([, indent = "", text = ""]) => text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );

/** The words of a command line; quotes hold a word together. */
const words = (line: string): readonly string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

describe("the page on federation", () => {
  it("shows settings and a resource that are valid", () => {
    let settings = 0;
    for (const text of blocks("yaml")) {
      const value = parse(text);
      if (value.kind !== undefined) {
        const read = parseResource("ClusterFederatedTrustDomain", value, "example.org");
        assert.ok(read.ok, text);
        continue;
      }
      parseConfig(serverConfigSchema, `trustDomain: example.org\n${text}`, "the page");
      settings += 1;
    }
    assert.equal(settings, 4);
  });

  if (requires("linux")) {
    it("leads to a workload that knows the partner, by its commands", async () => {
      await using ours = await FederatedMachine.start("example.org");
      await using theirs = await FederatedMachine.start("partner.example", { isServerOnly: true });
      await using dir = await TempDir.open();
      await writeFile(dir.join("partner.json"), await theirs.bundle());
      await ours.register("/shop", "--id", "shop");
      const commands = blocks("sh").flatMap((text) => text.trim().split("\n"));
      assert.equal(commands.length, 5);
      for (const command of commands) {
        const here = command
          .replace("https://partner.example:8443/", theirs.bundleUrl)
          .replace("partner.json", dir.join("partner.json"));
        const [program, ...args] = words(here);
        assert.equal(program, "assay");
        const { code, err } = await ours.run(args);
        assert.equal(code, ExitCode.ok, `${command}: ${err}`);
      }
      await using source = await X509Source.open({ address: ours.endpointSocket });
      const partner = TrustDomain.parse("partner.example");
      await eventually("the bundle", () => source.bundleFor(partner));
      assert.equal(source.limitsFor(partner)?.admitsAudience("billing"), true);
      const shown = await ours.assay("federation", "show", "partner.example");
      assert.deepEqual([shown.findings, shown.owner], [[], "payments"]);
    });
  }
});
