// What decides how far another trust domain is trusted, with input that nobody wrote by hand: patterns, limits, URLs, documents.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { CachedBundle } from "../../agent/cache/bundle-cache.ts";
import { limitMatchers } from "../../agent/endpoints/sds/secret-messages.ts";
import {
  decodeFederationLimits,
  encodeFederationLimits,
} from "../../proto/convert/federation-limits.ts";
import { FederationLimitsSchema } from "../../proto/gen/assay/federation/v1/limits_pb.ts";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { FederationRelationshipSchema } from "../../proto/gen/spire/api/types/federationrelationship_pb.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { parseEndpointUrl } from "../../server/federation/endpoint-url.ts";
import {
  decodeRelationship,
  encodeRelationship,
} from "../../server/federation/relationship-message.ts";
import { limitsOf, limitsRecordOf } from "../../server/federation/relationship-value.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { fuzzing, readOrRefused } from "../support/fuzzing.ts";
import { damagedText } from "../support/hostile.ts";

// Few letters, so that patterns and paths meet; the dot, because it means something elsewhere.
const segment = fc.string({
  unit: fc.constantFrom("a", "b", ".", "-", "_", "1"),
  minLength: 1,
  maxLength: 3,
});
const isPlain = (text: string): boolean => text !== "." && text !== "..";
const plain = segment.filter(isPlain);
const path = fc.array(plain, { minLength: 1, maxLength: 5 }).map((all) => `/${all.join("/")}`);
const patternText = fc
  .tuple(fc.array(fc.oneof(plain, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .filter(([segments, isOpen]) => isOpen || segments.length > 0)
  .map(([segments, isOpen]) => `/${[...segments, ...(isOpen ? ["**"] : [])].join("/")}`);
const pattern = patternText.map((text) => IdPattern.parse(text));
const audience = fc.string({ minLength: 1, maxLength: 8 });
const endsAt = fc.option(
  fc.date({ noInvalidDate: true, min: new Date(-86_400_000), max: new Date("9999-12-31") }),
  {
    nil: undefined,
  },
);
const limits = fc
  .record({
    any: fc.boolean(),
    idPatterns: fc.array(pattern, { maxLength: 4 }),
    audiences: fc.array(audience, { maxLength: 3 }),
    endsAt,
    owner: fc.string({ maxLength: 5 }),
    purpose: fc.string({ maxLength: 5 }),
  })
  .map(({ any, ...terms }) =>
    any ? new FederationLimits({ any, endsAt: terms.endsAt }) : new FederationLimits(terms),
  );

suite("fuzzing: limits of a federation", () => {
  test("a pattern matches the same paths here and as a regular expression elsewhere", () => {
    fc.assert(
      fc.property(pattern, path, (one, given) => {
        const elsewhere = new RegExp(`^(?:${one.toRegexSource()})$`);
        assert.equal(one.matches(given), elsewhere.test(given));
        assert.equal(IdPattern.parse(one.toString()).toString(), one.toString());
      }),
      fuzzing(1_000),
    );
  });

  test("what is read as a pattern admits paths of SPIFFE IDs only as it is written", () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."/*.ab-_%\\^$(\n\0ä "), maxLength: 10 }),
      patternText.chain((sample) => damagedText(sample, "/*.%\\")),
    );
    fc.assert(
      fc.property(text, path, (source, given) => {
        let read: IdPattern;
        try {
          read = IdPattern.parse(source);
        } catch {
          return;
        }
        const literal = source.slice(0, source.includes("*") ? source.indexOf("*") : undefined);
        assert.match(source, /^(?:\/[\w.-]+|\/\*)*(?:\/\*\*)?$/);
        if (read.matches(given)) assert.ok(given.startsWith(literal));
      }),
      fuzzing(1_000),
    );
  });

  test("the matchers of a proxy take the IDs that the limits admit, and no others", () => {
    const names = fc.constantFrom("a.test", "axtest", "a-b.test");
    fc.assert(
      fc.property(limits, names, names, path, (one, trustDomain, other, given) => {
        const bundle = new CachedBundle(create(BundleSchema, { trustDomain }), one);
        const [id, foreign] = [`spiffe://${trustDomain}${given}`, `spiffe://${other}${given}`];
        const own = new CachedBundle(create(BundleSchema, { trustDomain: "own.test" }));
        const matchers = limitMatchers([own, bundle]);
        const takes = (text: string): boolean =>
          matchers.length === 0 ||
          matchers.some(({ matcher }) => {
            const how = matcher?.matchPattern;
            if (how?.case === "prefix") return text.startsWith(how.value);
            assert.ok(how?.case === "safeRegex");
            return new RegExp(`^(?:${how.value.regex})$`).test(text);
          });
        assert.equal(takes(id), one.admitsId(SpiffeId.parse(id)));
        if (other !== trustDomain && !one.isAny) assert.equal(takes(foreign), false);
      }),
      fuzzing(500),
    );
  });

  test("limits are the same in the store and on the wire, and never end later", () => {
    fc.assert(
      fc.property(limits, (one) => {
        const stored = limitsOf(limitsRecordOf(one));
        const sent = decodeFederationLimits("limits", encodeFederationLimits("a.test", one));
        assert.ok(sent.equals(stored));
        assert.equal(stored.isAny, one.isAny);
        if (one.endsAt === undefined) return;
        // An end before all time is one that has come.
        assert.ok(stored.hasEnded(new Date(Math.max(one.endsAt.getTime(), 1_000))));
      }),
      fuzzing(500),
    );
  });

  test("any message is read within its words or refused", () => {
    const text = fc.oneof(patternText, fc.string({ maxLength: 12 }));
    const message = fc.record({
      any: fc.boolean(),
      idPatterns: fc.array(text, { maxLength: 3 }),
      audiences: fc.array(fc.oneof(audience, fc.string()), { maxLength: 3 }),
      endsAt: fc.oneof(
        fc.bigInt({ min: 0n, max: 10_000n }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      ),
    });
    fc.assert(
      fc.property(message, (given) => {
        const read = readOrRefused(
          () => decodeFederationLimits("limits", create(FederationLimitsSchema, given)),
          StatusError,
        );
        if (read === undefined) return;
        assert.equal(read.isAny, given.any);
        assert.equal(read.idPatterns.length, given.idPatterns.length);
        assert.equal(read.endsAt === undefined, given.endsAt === 0n);
      }),
      fuzzing(500),
    );
  });
});

suite("fuzzing: bundle endpoints", () => {
  const base = new URL("https://partner.test:8443/bundle?x=y");
  const samples = [
    "https://u:p@h.test:1/p?q#f",
    "//@h.test/x",
    "/x/../y",
    "https:///@h",
    "http://h/",
  ];
  const alphabet = "@:/\\?#[]%. \t\nhs0ä";
  const locations = fc.oneof(
    fc.constantFrom(...samples).chain((sample) => damagedText(sample, alphabet)),
    fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 20 }),
  );

  test("a URL or a redirect leads to https, without a user, to where it says", () => {
    fc.assert(
      fc.property(locations, fc.constantFrom(undefined, base), (text, from) => {
        let url: URL;
        try {
          url = parseEndpointUrl(text, from);
        } catch (err) {
          assert.ok(err instanceof Error);
          return;
        }
        assert.equal(url.protocol, "https:");
        assert.deepEqual([url.username, url.password], ["", ""]);
        // As everybody else would read it: RFC 3986, appendix B.
        const [, , scheme, , authority] =
          /^(([a-z][a-z\d+.-]*):)?(\/\/([^/?#]*))?/i.exec(text) ?? [];
        assert.ok(!(authority ?? "").includes("@"), text);
        assert.ok(scheme === undefined || authority, text);
        if (authority === undefined) assert.equal(url.host, from?.host, text);
        assert.equal(parseEndpointUrl(url.href).href, url.href);
      }),
      fuzzing(2_000),
    );
  });

  test("a relationship of the public API is read or refused, and written as it was read", () => {
    const profile = fc.oneof(
      fc.constant({ case: "httpsWeb" as const, value: {} }),
      fc
        .oneof(
          fc.constant("spiffe://a.test/spire/server"),
          damagedText("spiffe://a.test/x", "/:%ä."),
        )
        .map((endpointSpiffeId) => ({ case: "httpsSpiffe" as const, value: { endpointSpiffeId } })),
      fc.constant({ case: undefined }),
    );
    const relationship = fc.record({
      trustDomain: fc.oneof(fc.constant("a.test"), damagedText("a.test", "/:%äA")),
      bundleEndpointUrl: fc.oneof(fc.constant("https://a.test/"), locations),
      bundleEndpointProfile: profile,
    });
    fc.assert(
      fc.property(relationship, (given) => {
        const wire = create(FederationRelationshipSchema, given);
        const read = readOrRefused(
          () => decodeRelationship("r", wire, { own: "own.test" }),
          StatusError,
        );
        if (read?.endpoint === undefined) return;
        const record = {
          trustDomain: read.trustDomain,
          endpoint: read.endpoint,
          limits: limitsRecordOf(FederationLimits.ANY),
          ...{ origin: "", createdAt: 0, createdBy: "", updatedBy: "" },
          ...{ endedAt: 0, isDeleted: false },
        };
        const again = decodeRelationship("r", encodeRelationship(record, undefined), {
          own: "own.test",
        });
        assert.deepEqual(again, { trustDomain: read.trustDomain, endpoint: read.endpoint });
      }),
      fuzzing(500),
    );
  });
});
