/**
 * Seeds: what is accepted, and where one comes from if none is given.
 * @module
 */

import { checkInteger, describe } from "../check.ts";

/** A seed for a stream: a non-negative integer of any size, or several. */
export type Seed = number | bigint | readonly (number | bigint)[];

/** A seed as a non-negative integer. @throws {RangeError} or {TypeError} that says why it is refused. */
export function toSeedInteger(seed: unknown): bigint {
  if (typeof seed === "bigint" && seed >= 0n) return seed;
  if (typeof seed === "number" && Number.isSafeInteger(seed) && seed >= 0) return BigInt(seed);
  if (typeof seed === "number" && Number.isInteger(seed) && seed > 0) {
    throw new RangeError(
      `A seed above 2⁵³ − 1 is not exact as a number; write it as a bigint: got ${seed}, perhaps ${
        BigInt(seed)
      }n`,
    );
  }
  if (typeof seed === "number" || typeof seed === "bigint") {
    throw new RangeError(`A seed must be a non-negative integer, got ${seed}`);
  }
  throw new TypeError(
    `A seed must be a non-negative integer, a bigint or an array of them, got ${describe(seed)}`,
  );
}

/** A seed of the legacy stream: an integer of 32 bits. */
export function toLegacySeed(seed: unknown): number {
  checkInteger("The seed of a RandomState", seed, 0, 0xffffffff);
  return seed;
}

/** 32-bit words from the operating system, for streams that nobody seeded. */
export function entropyWords(count: number): Uint32Array {
  return crypto.getRandomValues(new Uint32Array(count));
}
