// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * The fast stream: three sfc32 generators, each in four lanes, so that a step gives sixteen random bytes.
 *
 * A state is 48 words: for each generator its a, b, c and d, each four lanes wide. The generators A and B give the
 * first byte of an element's number, C the further ones, for the few that need them.
 *
 * Source: C. Doty-Humphrey, PractRand (sfc32).
 */

/** Bytes of one generator's state. */
export const GENERATOR: usize = 64;

// @ts-ignore: decorator
@inline
function rotateLeft21(words: v128): v128 {
  return v128.or(i32x4.shl(words, 21), i32x4.shr_u(words, 11));
}

/** Sixteen bytes from the generator whose state lies at `g`, which advances. */
export function step(g: usize): v128 {
  const a = v128.load(g), b = v128.load(g, 16), c = v128.load(g, 32), d = v128.load(g, 48);
  const output = i32x4.add(i32x4.add(a, b), d);
  v128.store(g, v128.xor(b, i32x4.shr_u(b, 9)));
  v128.store(g, i32x4.add(c, i32x4.shl(c, 3)), 16);
  v128.store(g, i32x4.add(rotateLeft21(c), output), 32);
  v128.store(g, i32x4.add(d, i32x4.splat(1)), 48);
  return output;
}

/**
 * Settles the elements whose first byte equals the threshold's: one more byte each, until all differ or all four
 * bytes are compared. `kept` and `tied` are 16 lanes of all ones or all zeros.
 */
function settle(kept: v128, tied: v128, state: usize, threshold: u32): v128 {
  for (let shift = 16; shift >= 0 && v128.any_true(tied); shift -= 8) {
    const byte = i8x16.splat(<i8> (threshold >> shift));
    const random = step(state + 2 * GENERATOR);
    kept = v128.or(kept, v128.and(tied, i8x16.lt_u(random, byte)));
    tied = v128.and(tied, i8x16.eq(random, byte));
  }
  return kept;
}

/** What one block of 32 elements keeps: lanes of all ones for the first 16, then for the others. */
export let keptA: v128 = i8x16.splat(0);
export let keptB: v128 = i8x16.splat(0);

/** The rare case, out of the loop: some first byte equals the threshold's. */
export function settleBlock(a: v128, tiedA: v128, b: v128, tiedB: v128, state: usize, threshold: u32): void {
  keptA = settle(a, tiedA, state, threshold);
  keptB = settle(b, tiedB, state, threshold);
}
