/**
 * Iterations whose 32-bit seeds collide, so that they get the same mask.
 * @module
 */

import { checkInteger } from "../check.ts";
import { iterationSeed } from "../mod.ts";

/** Two iterations that get the same mask. */
export interface SeedCollision {
  /** The earlier iteration. */
  first: number;
  /** The later one. */
  second: number;
  /** The seed that both derive. */
  derivedSeed: number;
}

/**
 * The pairs among iterations 0, 1, …, `limit` − 1 that derive the same seed, the pair that is complete first in front.
 * (Of three iterations with one seed, which hardly ever happens, the two neighbouring pairs.)
 *
 * @param seed Base seed, a non-negative integer.
 * @param limit How many iterations to search. 120,000 take a fraction of a second; the chance that some of so many
 *   collide is 1 − exp(−n²/2³³) = 81 %.
 * @throws {RangeError} if the limit is not a non-negative integer.
 */
export function* seedCollisions(
  seed: number | bigint,
  limit: number,
): Generator<SeedCollision, void, undefined> {
  checkInteger("seedCollisions: limit", limit);
  const iterationOf = new Map<number, number>();
  for (let second = 0; second < limit; second++) {
    const derivedSeed = iterationSeed(seed, second);
    const first = iterationOf.get(derivedSeed);
    if (first !== undefined) yield { first, second, derivedSeed };
    iterationOf.set(derivedSeed, second);
  }
}
