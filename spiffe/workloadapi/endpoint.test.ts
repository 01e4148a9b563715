import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damagedText, survives } from "../../test/support/hostile.ts";
import { type EndpointAddress, formatEndpointAddress, parseEndpointAddress } from "./endpoint.ts";

suite("endpoint addresses: properties", () => {
  const paths = fc
    .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => parts.map((part) => `/${part}`).join(""))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are left out
    .filter((path) => !path.endsWith("/") && !/[\u0000-\u001f\u007f]/.test(path));
  const addresses: fc.Arbitrary<EndpointAddress> = fc.oneof(
    paths.map((path) => ({ kind: "unix" as const, path })),
    fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }))
      .map(([host, port]) => ({ kind: "tcp" as const, host, port })),
  );

  test("an address is read as it was written", () => {
    fc.assert(
      fc.property(addresses, (address) => {
        assert.deepEqual(parseEndpointAddress(formatEndpointAddress(address)), address);
      }),
    );
  });

  test("a damaged address is read or refused", () => {
    const alphabet = "/:.%?#@[] \n\u0000\u00e4a0";
    for (const sample of ["unix:///run/a.sock", "tcp://127.0.0.1:80", "tcp://[::1]:80"]) {
      fc.assert(
        fc.property(damagedText(sample, alphabet), (text) => {
          survives(() => parseEndpointAddress(text));
          survives(() => parseEndpointAddress(text, { allowHostNames: true }));
        }),
        { numRuns: 500 },
      );
    }
  });
});
