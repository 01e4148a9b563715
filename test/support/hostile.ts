// Input that means harm, and what a parser may do about it.

import assert from "node:assert/strict";
import fc from "fast-check";
import { SpiffeError } from "../../spiffe/error.ts";

/** Runs a parser on input of any kind: it may return or throw SpiffeError, and nothing else. */
export function survives(parse: () => unknown): void {
  try {
    parse();
  } catch (err) {
    assert.ok(err instanceof SpiffeError, `threw something else: ${String(err)}`);
  }
}

/** The same for a parser that answers later. */
export async function survivesLater(parse: () => Promise<unknown>): Promise<void> {
  try {
    await parse();
  } catch (err) {
    assert.ok(err instanceof SpiffeError, `threw something else: ${String(err)}`);
  }
}

/** A sample with a few octets changed, put in, taken out, or cut off. */
export function damaged(sample: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat(sample.length - 1),
    remove: fc.nat(4),
    insert: fc.uint8Array({ maxLength: 4 }),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    let bytes = Buffer.from(sample);
    for (const { at, remove, insert } of edits) {
      bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
    }
    return new Uint8Array(bytes);
  });
}

/** A text with a few characters changed, put in or taken out. */
export function damagedText(sample: string, alphabet: string): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(sample.length),
    remove: fc.nat(3),
    insert: fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 3 }),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) =>
    edits.reduce((text, { at, remove, insert }) => {
      return text.slice(0, at) + insert + text.slice(at + remove);
    }, sample),
  );
}
