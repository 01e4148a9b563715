/** What is public of an RSA key. Magnitudes, most significant octet first. */
export interface RsaPublicNumbers {
  readonly modulusBits: number;
  readonly modulus: Uint8Array;
  readonly publicExponent: Uint8Array;
}

/** How a modulus can be factored by anybody. */
export type RsaWeakness = "small_factor" | "roca" | "close_primes";

const SMALL_PRIMES: readonly number[] = primesBelow(752);
const ROCA_PRIMES: readonly number[] = SMALL_PRIMES.filter((prime) => prime > 2 && prime <= 167);
const ROCA_RESIDUES: ReadonlyMap<number, ReadonlySet<number>> = new Map(
  ROCA_PRIMES.map((prime) => [prime, powersOf65537(prime)]),
);
const SMALL_PRODUCT: bigint = SMALL_PRIMES.reduce((product, prime) => product * BigInt(prime), 1n);
const FERMAT_ROUNDS = 100;
const SQUARES_MOD_64: ReadonlySet<number> = new Set(
  Array.from({ length: 64 }, (_, root) => (root * root) % 64),
);

/**
 * Looks for what makes an RSA modulus easy to factor: a small factor, the structure that a widespread chip library gave its primes
 * (CVE-2017-15361, "ROCA"), or two primes so close that Fermat's method finds them within 100 rounds.
 */
export function findRsaWeakness(modulus: bigint): RsaWeakness | undefined {
  // One division of the large number; the rest is done on a remainder that is as small as the product of the primes.
  const remainder = modulus % SMALL_PRODUCT;
  if (SMALL_PRIMES.some((prime) => remainder % BigInt(prime) === 0n)) return "small_factor";
  const isRoca = ROCA_PRIMES.every((prime) =>
    ROCA_RESIDUES.get(prime)?.has(Number(remainder % BigInt(prime))),
  );
  if (isRoca) return "roca";
  return hasClosePrimes(modulus) ? "close_primes" : undefined;
}

/** Fermat: n = a² - b² with a just above the root of n, if the two factors a ± b are close together. */
function hasClosePrimes(modulus: bigint): boolean {
  let a = squareRoot(modulus);
  if (a * a < modulus) a += 1n;
  let difference = a * a - modulus;
  for (let round = 0; round < FERMAT_ROUNDS; round++) {
    if (mayBeSquare(difference) && squareRoot(difference) ** 2n === difference) return true;
    difference += 2n * a + 1n;
    a += 1n;
  }
  return false;
}

/** False for 99 of 100 numbers that are no squares, at a hundredth of what a root costs. */
function mayBeSquare(value: bigint): boolean {
  if (!SQUARES_MOD_64.has(Number(BigInt.asUintN(6, value)))) return false;
  const remainder = Number(value % 45_045n);
  return [63, 65, 11].every((modulus) => isSquareModulo(remainder % modulus, modulus));
}

function isSquareModulo(value: number, modulus: number): boolean {
  for (let root = 0; root <= modulus >> 1; root++) {
    if ((root * root) % modulus === value) return true;
  }
  return false;
}

/** The largest integer whose square is not above `value`, by Newton's method from above. */
function squareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt(Math.ceil(value.toString(16).length * 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function primesBelow(limit: number): readonly number[] {
  const primes: number[] = [];
  for (let candidate = 2; candidate < limit; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes;
}

/** Such a library's primes, and so their products, are powers of 65537 modulo each small prime. */
function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
}
