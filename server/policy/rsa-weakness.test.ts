import assert from "node:assert/strict";
import { generateKeyPairSync, generatePrimeSync } from "node:crypto";
import { describe, it } from "node:test";
import { findRsaWeakness } from "./rsa-weakness.ts";

function freshModulus(): bigint {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { n = "" } = publicKey.export({ format: "jwk" });
  return BigInt(`0x${Buffer.from(n, "base64url").toString("hex")}`);
}

describe("findRsaWeakness", () => {
  it("finds nothing in a fresh modulus", () => {
    assert.equal(findRsaWeakness(freshModulus()), undefined);
  });

  it("finds a small factor", () => {
    assert.equal(findRsaWeakness(freshModulus() * 751n), "small_factor");
    assert.equal(findRsaWeakness(freshModulus() & ~1n), "small_factor");
  });

  it("finds the structure of a vulnerable chip library", () => {
    const primes = [
      3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79,
    ];
    primes.push(83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167);
    const product = primes.reduce((all, prime) => all * BigInt(prime), 1n);
    let structured = 65_537n ** 123n % product;
    // Only its remainders matter, as long as no other small prime divides it.
    structured += product << 1830n;
    let found = findRsaWeakness(structured);
    for (; found === "small_factor"; found = findRsaWeakness(structured)) structured += product;
    assert.equal(found, "roca");
  });

  it("finds primes that are close together, and not those that are apart", () => {
    const bits = 512;
    const p = generatePrimeSync(bits, { bigint: true });
    let q = p + 2n;
    for (; !isPrime(q); q += 2n);
    assert.equal(findRsaWeakness(p * q), "close_primes");
    const far = generatePrimeSync(bits, { bigint: true, add: 2n });
    assert.equal(findRsaWeakness(p * far), undefined);
  });
});

/** Fermat's test: good enough for a number nobody chose. */
function isPrime(candidate: bigint): boolean {
  let [result, base, exponent] = [1n, 2n, candidate - 1n];
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % candidate;
    base = (base * base) % candidate;
  }
  return result === 1n;
}
