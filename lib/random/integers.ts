/**
 * Integers that are equally likely, from words of 32 bits, and orders that are.
 * @module
 */

import { checkInteger } from "../check.ts";

const TWO_32 = 0x100000000;

/**
 * An integer in [0, span): the upper word of a 32 × 32-bit product, without the few that would favour some.
 *
 * Source: D. Lemire, "Fast random integer generation in an interval" (2019), as NumPy's Generator does it.
 *
 * @param span An integer in [1, 2³²].
 * @param nextUint32 Draws a word.
 */
export function integerBelow(span: number, nextUint32: () => number): number {
  if (span === 1) return 0;
  if (span === TWO_32) return nextUint32();
  const surplus = TWO_32 % span;
  for (;;) {
    const product = BigInt(nextUint32()) * BigInt(span);
    if (Number(product & 0xffffffffn) >= surplus) return Number(product >> 32n);
  }
}

/**
 * 0 to n − 1 in random order, by Fisher and Yates: each place, from the last on, takes one of those that are left.
 *
 * Which one, NumPy decides by rejection: it tries words of as many bits as the number has.
 *
 * @param nextUint32 Draws a word.
 * @throws {RangeError | TypeError} if `n` is not a non-negative integer below 2³¹.
 */
export function shuffledIntegers(n: number, nextUint32: () => number): Int32Array {
  checkInteger("permutation: n", n, 0, 0x7fffffff);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = nextUint32() & mask;
    while (j > i) j = nextUint32() & mask;
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
