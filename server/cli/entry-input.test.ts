import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { entryMessage, inputMask, parseEntriesFile } from "./entry-input.ts";

function refused(text: string, message: RegExp): void {
  assert.throws(
    () => parseEntriesFile(text, "entries.yaml").map(entryMessage),
    (err) => {
      assert.ok(err instanceof CliError);
      assert.equal(err.exitCode, ExitCode.usage);
      assert.match(err.message, message);
      return true;
    },
  );
}

describe("parseEntriesFile", () => {
  const entry = { spiffe_id: "spiffe://td.test/a", selectors: ["unix:uid:1"] };
  const forms = [
    { name: "a YAML list", text: "- spiffe_id: spiffe://td.test/a\n  selectors: [unix:uid:1]\n" },
    { name: "a JSON list", text: JSON.stringify([entry]) },
    { name: "an object with entries", text: JSON.stringify({ entries: [entry] }) },
    { name: "one document an entry", text: `---\n${JSON.stringify(entry)}\n` },
  ];
  for (const { name, text } of forms) {
    it(`reads ${name}`, () => assert.deepEqual(parseEntriesFile(text, "f"), [entry]));
  }

  it("passes over what only the server writes, so that printed entries can be fed back", () => {
    const text = JSON.stringify({ ...entry, revision_number: 4, created_at: "2026-01-01" });
    assert.deepEqual(parseEntriesFile(text, "f"), [entry]);
  });

  it("names the entry and the field that is wrong", () => {
    refused("- spiffe_id: spiffe://td.test/a\n- spifeid: x\n", /entry 2: unknown field "spifeid"/);
    refused("- selectors: unix:uid:1\n", /entry 1\.selectors: expected a list/);
    refused("- 7\n", /entry 1: expected an object/);
    refused("- a: 1\n  a: 2\n", /unique/);
    refused("- x509_svid_ttl: soon\n", /x509_svid_ttl: expected a duration, got "soon"/);
    refused("- spiffe_id: spiffe://TD/a\n", /^spiffe_id: /);
    refused("- selectors: [unix]\n", /selectors: expected type:value, got "unix"/);
  });

  it("throws nothing but its own error on any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseEntriesFile(text, "f").map(entryMessage);
        } catch (err) {
          assert.ok(err instanceof CliError, String(err));
        }
      }),
    );
  });
});

describe("entryMessage", () => {
  it("reads durations with units and seconds without", () => {
    const { entry } = entryMessage({ x509_svid_ttl: "1h30m", jwt_svid_ttl: "60" });
    assert.deepEqual([entry?.x509SvidTtl, entry?.jwtSvidTtl], [5400, 60]);
  });

  it("masks what was not given", () => {
    const mask = inputMask({ hint: "x", dns_names: [] });
    assert.deepEqual(
      Object.entries(mask).flatMap(([name, given]) => (given ? [name] : [])),
      ["dnsNames", "hint"],
    );
  });
});
