/**
 * Philox4x32-10: random words as a function of a counter and a key, without a state.
 *
 * Source: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC '11 (2011), and its library Random123.
 * @module
 */

const ROUNDS = 10;
/** Multipliers of the rounds, and what each round adds to the key (the golden ratio and √3 − 1). */
const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** Four words of 32 bits. */
export type FourWords = readonly [number, number, number, number];

/**
 * Encrypts a counter with a key: 128 bits that look random, and others for each counter and each key.
 *
 * @param counter Four words of 32 bits.
 * @param key Two words of 32 bits.
 * @param out Receives the result, so that nothing is allocated; four words.
 */
export function philox4x32(
  counter: FourWords,
  key: readonly [number, number],
  out: Uint32Array = new Uint32Array(4),
): Uint32Array {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const x0 = upperProduct(M1, c2) ^ c1 ^ k0;
    const x2 = upperProduct(M0, c0) ^ c3 ^ k1;
    c1 = Math.imul(M1, c2);
    c3 = Math.imul(M0, c0);
    c0 = x0;
    c2 = x2;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
  return out;
}

/** The upper 32 of the 64 bits of a product, by long multiplication with digits of 16 bits. */
function upperProduct(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  // No sum exceeds 2³² − 1: (2¹⁶ − 1)² + 2¹⁶ − 1 = (2¹⁶ − 1) · 2¹⁶. Its bits are right, whatever the sign.
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const other = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}
