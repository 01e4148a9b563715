// SPIFFE-ID: what is an ID and what is not. Vectors V-*, IV-* and the sweeps over all characters.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { SpiffeErrorCode } from "../../spiffe/error.ts";
import { matchAny, matchId, matchMemberOf, matchOneOf } from "../../spiffe/id/matcher.ts";
import { MAX_FOREIGN_SPIFFE_ID_BYTES, SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";

const valid: readonly (readonly [vector: string, uri: string])[] = [
  ["V-01", "spiffe://example.org"],
  ["V-02", "spiffe://example.org/workload"],
  ["V-03", "spiffe://example.org/a/b/c"],
  ["V-06", "spiffe://example.com/9eebccd2-12bf-40a6-b262-65fe0487d453"],
  ["V-07", "spiffe://a/b"],
  ["V-08", "spiffe://1.2.3.4/service"],
  ["V-09", "spiffe://trust_domain_name.example.com/x"],
  ["V-10", "spiffe://123/456"],
  ["V-11", "spiffe://xn--bcher-kva.example/x"],
  ["V-12", "spiffe://_/x"],
  ["V-14", "spiffe://./x"],
  ["V-15", "spiffe://../x"],
  ["V-16", "spiffe://a..b/x"],
  ["V-17", "spiffe://td./x"],
  ["V-18", "spiffe://.td/x"],
  ["V-19", "spiffe://-td-/x"],
  ["V-20", "spiffe://td/A"],
  ["V-22", "spiffe://td/.path"],
  ["V-23", "spiffe://td/..path"],
  ["V-24", "spiffe://td/..."],
  ["V-25", "spiffe://td/a./b"],
  ["V-27", "spiffe://td/path.."],
  ["V-28", "spiffe://td/-"],
  ["V-29", "spiffe://td/_"],
  ["V-30", "spiffe://td/0"],
  ["V-32", `spiffe://td/${"x".repeat(2047 - 12)}`],
  ["V-33", `spiffe://td/${"x".repeat(2048 - 12)}`],
  ["V-35 (64)", `spiffe://${"a".repeat(64)}/x`],
  ["V-35 (255)", `spiffe://${"a".repeat(255)}/x`],
];

const invalid: readonly (readonly [vector: string, uri: string, code: SpiffeErrorCode])[] = [
  ["V-36", `spiffe://${"a".repeat(256)}/x`, "trust_domain_too_long"],
  ["IV-03", "spiffe", "id_scheme"],
  ["IV-04", "spiffe:", "id_scheme"],
  ["IV-05", "spiffe://", "trust_domain_empty"],
  ["IV-06", "spiffe:///", "trust_domain_empty"],
  ["IV-07", "spiffe:///path", "trust_domain_empty"],
  ["IV-08", "spiffe:/", "id_scheme"],
  ["IV-10", "spiffe:td/path", "id_scheme"],
  ["IV-12", "//td/path", "id_scheme"],
  ["IV-13", "td/path", "id_scheme"],
  ["IV-14", "/path", "id_scheme"],
  ["IV-15", "http://td/path", "id_scheme"],
  ["IV-16", "https://td/path", "id_scheme"],
  ["IV-17", "sparfe://td/path", "id_scheme"],
  ["IV-18", "spiffes://td/x", "id_scheme"],
  ["IV-19", "xspiffe://td/x", "id_scheme"],
  ["IV-20", "SPIFFE://td/path", "id_scheme"],
  ["IV-21", "Spiffe://td/path", "id_scheme"],
  ["IV-22", "urn:spiffe://td/x", "id_scheme"],
  ["IV-24", "spiffe://TD/path", "trust_domain_char"],
  ["IV-25", "spiffe://Example.org/path", "trust_domain_char"],
  ["IV-26", "spiffe://exAmple.org", "trust_domain_char"],
  ["IV-27", "spiffe://td:80/path", "trust_domain_char"],
  ["IV-28", "spiffe://td:/path", "trust_domain_char"],
  ["IV-29", "spiffe://td:0", "trust_domain_char"],
  ["IV-30", "spiffe://user@td/path", "trust_domain_char"],
  ["IV-31", "spiffe://user:pw@td/path", "trust_domain_char"],
  ["IV-32", "spiffe://@td/path", "trust_domain_char"],
  ["IV-33", "spiffe://:@td/path", "trust_domain_char"],
  ["IV-34", "spiffe://[::1]/path", "trust_domain_char"],
  ["IV-36", "spiffe://fe80::1/path", "trust_domain_char"],
  ["IV-37", "spiffe://td,td2/x", "trust_domain_char"],
  ["IV-38", "spiffe://td;x/y", "trust_domain_char"],
  ["IV-39", "spiffe://td~x/y", "trust_domain_char"],
  ["IV-40", "spiffe://td!/x", "trust_domain_char"],
  ["IV-41", "spiffe://td$x/y", "trust_domain_char"],
  ["IV-42", "spiffe://*.example.org/x", "trust_domain_char"],
  ["IV-43", "spiffe://td+x/y", "trust_domain_char"],
  ["IV-44", "spiffe://td=x/y", "trust_domain_char"],
  ["IV-45", "spiffe://td /x", "trust_domain_char"],
  ["IV-46", "spiffe:// td/x", "trust_domain_char"],
  ["IV-47", "spiffe://td\\x", "trust_domain_char"],
  ["IV-48", "spiffe://td\u0000/x", "trust_domain_char"],
  ["IV-49", "spiffe://%74d/path", "trust_domain_char"],
  ["IV-50", "spiffe://td%2epath/x", "trust_domain_char"],
  ["IV-51", "spiffe://%F0%9F%A4%AF/path", "trust_domain_char"],
  ["IV-53", "spiffe://\u4f8b\u3048.jp/x", "trust_domain_char"],
  ["IV-54", "spiffe://td\u200b/x", "trust_domain_char"],
  ["IV-55", "spiffe://\u0430bc/x", "trust_domain_char"],
  ["IV-56", "spiffe://td/", "path_trailing_slash"],
  ["IV-57", "spiffe://td//", "path_empty_segment"],
  ["IV-58", "spiffe://td//path", "path_empty_segment"],
  ["IV-59", "spiffe://td/path/", "path_trailing_slash"],
  ["IV-60", "spiffe://td/path//", "path_empty_segment"],
  ["IV-61", "spiffe://td/a//b", "path_empty_segment"],
  ["IV-62", "spiffe://td/a///b", "path_empty_segment"],
  ["IV-64", "spiffe://td/..", "path_dot_segment"],
  ["IV-65", "spiffe://td/./path", "path_dot_segment"],
  ["IV-66", "spiffe://td/../path", "path_dot_segment"],
  ["IV-68", "spiffe://td/path/..", "path_dot_segment"],
  ["IV-69", "spiffe://td/a/./b", "path_dot_segment"],
  ["IV-70", "spiffe://td/a/../b", "path_dot_segment"],
  ["IV-71", "spiffe://td/./", "path_dot_segment"],
  ["IV-72", "spiffe://td/../..", "path_dot_segment"],
  ["IV-73", "spiffe://td/%61", "path_char"],
  ["IV-75", "spiffe://td/%2e%2e", "path_char"],
  ["IV-76", "spiffe://td/a%2Fb", "path_char"],
  ["IV-77", "spiffe://td/%", "path_char"],
  ["IV-78", "spiffe://td/%zz", "path_char"],
  ["IV-79", "spiffe://td/a%20b", "path_char"],
  ["IV-80", "spiffe://td/%F0%9F%A4%AF", "path_char"],
  ["IV-84", "spiffe://td/a@b", "path_char"],
  ["IV-85", "spiffe://td/a~b", "path_char"],
  ["IV-86", "spiffe://td/a;v=1", "path_char"],
  ["IV-87", "spiffe://td/a,b", "path_char"],
  ["IV-88", "spiffe://td/a=b", "path_char"],
  ["IV-89", "spiffe://td/a&b", "path_char"],
  ["IV-90", "spiffe://td/a!b", "path_char"],
  ["IV-91", "spiffe://td/a$b", "path_char"],
  ["IV-92", "spiffe://td/a'b", "path_char"],
  ["IV-93", "spiffe://td/(a)", "path_char"],
  ["IV-94", "spiffe://td/*", "path_char"],
  ["IV-95", "spiffe://td/{a}", "path_char"],
  ["IV-96", "spiffe://td/[a]", "path_char"],
  ["IV-97", "spiffe://td/a|b", "path_char"],
  ["IV-98", "spiffe://td/a^b", "path_char"],
  ["IV-99", "spiffe://td/`a`", "path_char"],
  ["IV-100", "spiffe://td/<a>", "path_char"],
  ["IV-101", 'spiffe://td/"a"', "path_char"],
  ["IV-102", "spiffe://td/a\\b", "path_char"],
  ["IV-103", "spiffe://td/a\u0000b", "path_char"],
  ["IV-104", "spiffe://td/a\u007fb", "path_char"],
  ["IV-105", "spiffe://td/\u00e4", "path_char"],
  ["IV-106", "spiffe://td/\ud83e\udd2f", "path_char"],
  ["IV-107", "spiffe://td/a\u200bb", "path_char"],
  ["IV-108", "spiffe://td?x=y", "trust_domain_char"],
  ["IV-109", "spiffe://td/path?x=y", "path_char"],
  ["IV-110", "spiffe://td/path?", "path_char"],
  ["IV-111", "spiffe://td?", "trust_domain_char"],
  ["IV-113", "spiffe://td/path#f", "path_char"],
  ["IV-114", "spiffe://td/path#", "path_char"],
  ["IV-115", "spiffe://td#", "trust_domain_char"],
  ["IV-116", "spiffe://td/path?x#y", "path_char"],
  ["IV-117", " spiffe://td/x", "id_scheme"],
  ["IV-118", "\tspiffe://td/x", "id_scheme"],
  ["IV-119", "spiffe://td/x ", "path_char"],
  ["IV-120", "spiffe://td/x\n", "path_char"],
  ["IV-121", "spiffe://td/spiffe://td2/x", "path_char"],
];

const td = TrustDomain.parse("td");

suite("SPIFFE-ID 2: IDs", () => {
  for (const [vector, uri] of valid) {
    test(`${vector} accepts ${shown(uri)}`, () => {
      const id = SpiffeId.parse(uri);
      assert.equal(id.toString(), uri);
      assert.equal(`spiffe://${id.trustDomain.name}${id.path}`, uri);
    });
  }

  for (const [vector, uri, code] of invalid) {
    test(`${vector} refuses ${shown(uri)}`, () => {
      assert.throws(() => SpiffeId.parse(uri), spiffeRefused(code));
    });
  }

  test("SID-09 sweep: a trust domain takes exactly a-z 0-9 . - _ out of all characters up to 255", () => {
    assert.equal(
      sweep((character) => `spiffe://trustdomain${character}/path`),
      "-.0123456789_abcdefghijklmnopqrstuvwxyz",
    );
  });

  test("SID-17 sweep: a path takes exactly a-z A-Z 0-9 . - _ out of all characters up to 255", () => {
    assert.equal(
      sweep((character) => `spiffe://trustdomain/path${character}`),
      "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
    );
  });

  test("SID-20 refuses an ID of 2049 bytes at our own interfaces, and reads it from others", () => {
    const uri = `spiffe://td/${"x".repeat(2049 - 12)}`;
    const message = "SPIFFE ID must not be longer than 2048 bytes";
    assert.throws(() => SpiffeId.parse(uri), spiffeRefused("id_too_long", message));
    assert.equal(SpiffeId.parse(uri, MAX_FOREIGN_SPIFFE_ID_BYTES).toString(), uri);
    assert.throws(
      () => SpiffeId.fromPath(td, `/${"x".repeat(2049 - 12)}`),
      spiffeRefused("id_too_long"),
    );
  });

  test("SID-22 compares paths with their case", () => {
    assert.equal(SpiffeId.parse("spiffe://td/A").equals(SpiffeId.parse("spiffe://td/a")), false);
    assert.equal(SpiffeId.parse("spiffe://td/a").equals(SpiffeId.parse("spiffe://td/a")), true);
  });
});

suite("SPIFFE-ID 2.2: building paths", () => {
  const built: readonly (readonly [segments: readonly string[], path: string])[] = [
    [[], ""],
    [["foo", "bar"], "/foo/bar"],
    [["..."], "/..."],
  ];
  for (const [segments, path] of built) {
    test(`2.3 joins ${JSON.stringify(segments)} to ${JSON.stringify(path)}`, () => {
      assert.equal(SpiffeId.fromSegments(td, ...segments).path, path);
    });
  }

  const refusedSegments: readonly (readonly [
    segments: readonly string[],
    code: SpiffeErrorCode,
  ])[] = [
    [[""], "path_empty_segment"],
    [["a", ""], "path_empty_segment"],
    [["."], "path_dot_segment"],
    [[".."], "path_dot_segment"],
    [["/"], "path_char"],
    [["/foo"], "path_char"],
    [["foo/bar"], "path_char"],
    [["$"], "path_char"],
    [["%61"], "path_char"],
    [["\u00e4"], "path_char"],
  ];
  for (const [segments, code] of refusedSegments) {
    test(`2.3 refuses the segments ${JSON.stringify(segments)}`, () => {
      assert.throws(() => SpiffeId.fromSegments(td, ...segments), spiffeRefused(code));
      assert.throws(() => td.id.append(...segments), spiffeRefused(code));
    });
  }

  const paths: readonly (readonly [path: string, code: SpiffeErrorCode | undefined])[] = [
    ["", undefined],
    ["/foo", undefined],
    ["/", "path_trailing_slash"],
    ["/foo/", "path_trailing_slash"],
    ["foo", "path_leading_slash"],
    ["//foo", "path_empty_segment"],
    ["/a?b", "path_char"],
    ["/a#b", "path_char"],
  ];
  for (const [path, code] of paths) {
    test(`2.3 ${code === undefined ? "takes" : "refuses"} the path ${JSON.stringify(path)}`, () => {
      if (code === undefined) assert.equal(SpiffeId.fromPath(td, path).path, path);
      else assert.throws(() => SpiffeId.fromPath(td, path), spiffeRefused(code));
    });
  }

  test("2.3 appends segments below a path", () => {
    assert.equal(SpiffeId.parse("spiffe://td/a").append("b", "c").toString(), "spiffe://td/a/b/c");
  });

  // Other libraries have a zero ID that text and JSON decoders leave behind. Here no ID exists that was not parsed, so
  // there is nothing to append to and nothing that an empty text could become.
  test("2.3 makes no ID from an empty text or from BAD", () => {
    assert.throws(() => SpiffeId.parse(""), spiffeRefused("id_scheme"));
    assert.throws(() => SpiffeId.parse("BAD"), spiffeRefused("id_scheme"));
  });

  test("2.3 writes an ID as its text in JSON", () => {
    assert.equal(
      JSON.stringify({ id: SpiffeId.parse("spiffe://td/a"), td }),
      '{"id":"spiffe://td/a","td":"td"}',
    );
  });
});

suite("SPIFFE-ID 2.4: matchers", () => {
  const id = SpiffeId.parse("spiffe://td/A");

  test("2.3 any takes every ID", () => {
    matchAny()(id);
  });

  test("2.3 exact ID compares bytes", () => {
    matchId(SpiffeId.parse("spiffe://td/A"))(id);
    assert.throws(
      () => matchId(SpiffeId.parse("spiffe://td/a"))(id),
      spiffeRefused("id_not_authorized"),
    );
  });

  test("2.3 member of takes the trust domain and everything below it, and no other", () => {
    const matcher = matchMemberOf(td);
    matcher(id);
    matcher(td.id);
    for (const other of ["spiffe://td2/A", "spiffe://sub.td/A", "spiffe://t"]) {
      assert.throws(() => matcher(SpiffeId.parse(other)), spiffeRefused("id_not_authorized"));
    }
  });

  test("2.3 one of takes what is on the list, and nothing from an empty list", () => {
    matchOneOf(td.id, id)(id);
    assert.throws(() => matchOneOf(td.id)(id), spiffeRefused("id_not_authorized"));
    assert.throws(() => matchOneOf()(id), spiffeRefused("id_not_authorized"));
  });
});

function sweep(uriOf: (character: string) => string): string {
  let accepted = "";
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code);
    if (character === "/") continue;
    try {
      assert.equal(SpiffeId.parse(uriOf(character)).toString(), uriOf(character));
      accepted += character;
    } catch (err) {
      assert.equal(err instanceof Error && err.name, "SpiffeError");
    }
  }
  return accepted;
}

function shown(uri: string): string {
  const text = JSON.stringify(uri).replace(
    /[^ -~]/g,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return text.length <= 80 ? text : `${text.slice(0, 40)}... (${uri.length} bytes)`;
}
