// deno-fmt-ignore-file: it would drop the decorators, which it does not know
/**
 * Philox4x32-10, four counters at a time: bits for sixteen elements.
 *
 * Source: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC '11 (2011).
 */

const ROUNDS = 10;
const M0 = 0xd2511f53, M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9, W1 = 0xbb67ae85;

// @ts-ignore: decorator
@inline
function lowerWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

// @ts-ignore: decorator
@inline
function upperWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 1, 3, 5, 7);
}

/**
 * Sixteen bits: 1 where the word is at most `last`. Word w of counter i belongs to element 4i + w.
 *
 * @param pairA The first word pairs of two counters, as numbers of 64 bits; `pairB` those of the next two.
 */
// @ts-ignore: decorator
@inline
function sixteen(pairA: v128, pairB: v128, c2: v128, c3: v128, key0: u32, key1: u32, last: v128): u32 {
  let c0 = lowerWords(pairA, pairB), c1 = upperWords(pairA, pairB);
  const m0 = i32x4.splat(M0), m1 = i32x4.splat(M1);
  for (let round = 0; round < ROUNDS; round++) {
    const a = i64x2.extmul_low_i32x4_u(c0, m0), b = i64x2.extmul_high_i32x4_u(c0, m0);
    const c = i64x2.extmul_low_i32x4_u(c2, m1), d = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(v128.xor(upperWords(c, d), c1), i32x4.splat(key0));
    c2 = v128.xor(v128.xor(upperWords(a, b), c3), i32x4.splat(key1));
    c1 = lowerWords(c, d);
    c3 = lowerWords(a, b);
    key0 += W0;
    key1 += W1;
  }
  // All ones or all zeros: byte w of lane i is taken from word w, so that the bytes are in the elements' order.
  const even = v128.bitselect(i32x4.le_u(c0, last), i32x4.le_u(c1, last), i32x4.splat(0x000000ff));
  const odd = v128.bitselect(i32x4.le_u(c2, last), i32x4.le_u(c3, last), i32x4.splat(0x00ff0000));
  return i8x16.bitmask(v128.bitselect(even, odd, i32x4.splat(0x0000ffff)));
}

/**
 * Bits of `n` elements: 1 where an element's word is at most `last`.
 *
 * @param blockLow Lower word of ⌊first element/4⌋, which is the counter's lower half; `blockHigh` the upper word.
 * @param skip First element modulo 4.
 */
export function philoxBits(
  key0: u32,
  key1: u32,
  blockLow: u32,
  blockHigh: u32,
  step: u32,
  layer: u32,
  skip: i32,
  n: i32,
  last: u32,
  bits: usize,
): void {
  const block = (<u64> blockHigh << 32) | blockLow;
  const c2 = i32x4.splat(step), c3 = i32x4.splat(layer), limit = i32x4.splat(last), four = i64x2.splat(4);
  let pairA = i64x2.add(i64x2.splat(block), i64x2(0, 1)), pairB = i64x2.add(i64x2.splat(block), i64x2(2, 3));
  let waiting: u32 = 0; // 16 − skip bits of the counters before
  if (skip) {
    waiting = sixteen(pairA, pairB, c2, c3, key0, key1, limit) >> skip;
    pairA = i64x2.add(pairA, four), pairB = i64x2.add(pairB, four);
  }
  for (; n > 0; n -= 16, bits += 2) {
    const drawn = sixteen(pairA, pairB, c2, c3, key0, key1, limit);
    pairA = i64x2.add(pairA, four), pairB = i64x2.add(pairB, four);
    let word = drawn;
    if (skip) {
      word = waiting | (drawn << (16 - skip));
      waiting = drawn >> skip;
    }
    if (n < 16) word &= (1 << n) - 1;
    store<u8>(bits, word);
    if (n > 8) store<u8>(bits, word >> 8, 1);
  }
}
