/**
 * What a stream of random numbers is made of, and what dropout asks of one.
 * @module
 */

import { binomialTrial } from "./binomial.ts";

/** The largest double that a bit generator gives. */
const LARGEST = 1 - 2 ** -53;

/** A stream that masks can be drawn from. */
export interface RandomStream {
  /**
   * `n` independent draws that are 1 with probability `q`, one bit each, the first in the lowest bit of byte 0.
   *
   * @param q Probability of a one, in [0, 1].
   * @param out Receives the bits, so that nothing is allocated; ⌈n/8⌉ bytes, unused high bits become 0.
   */
  bernoulliBits(q: number, n: number, out?: Uint8Array): Uint8Array;
  /**
   * Some streams draw bits and apply them in one pass: `y` becomes scale · x where the bit is 1, +0 elsewhere.
   *
   * @returns False, having done nothing, where that would save no time.
   */
  dropout?(
    q: number,
    x: Float32Array | Float64Array,
    y: Float32Array | Float64Array,
    scale: number,
    bits: Uint8Array,
  ): boolean;
}

/** A source of raw random words, below the distributions. */
export interface BitGenerator {
  /** Name of the algorithm, as NumPy writes it. */
  readonly name: string;
  /** An integer in [0, 2³²). */
  nextUint32(): number;
  /** A multiple of 2⁻⁵³ in [0, 1). */
  nextDouble(): number;
  /**
   * Some fill an array with doubles at once.
   *
   * @returns False, having done nothing, where that would save no time.
   */
  fillDoubles?(out: Float64Array): boolean;
  /**
   * Some draw `n` doubles at once and keep a bit of each: 1 where it is at most `limit` or, inverted, where it is not.
   *
   * @param limit At most 1.
   * @param out ⌈n/8⌉ bytes, the first bit in the lowest bit of byte 0; unused bits become 0.
   * @returns False, having done nothing, where that would save no time.
   */
  fillBits?(n: number, limit: number, inverted: boolean, out: Uint8Array): boolean;
  /** Everything that the next words depend on, as plain data that JSON keeps exactly. */
  getState(): Record<string, unknown>;
  /** Goes on from a saved state. */
  setState(state: Record<string, unknown>): void;
}

/** The part that NumPy's old and new streams share: uniform numbers and coin flips from raw words. */
export abstract class NumpyStream<Bits extends BitGenerator = BitGenerator> implements RandomStream {
  /** Where the raw words come from. */
  readonly bitGenerator: Bits;

  /**
   * Draws from a bit generator.
   *
   * @param bitGenerator Where the raw words come from.
   */
  constructor(bitGenerator: Bits) {
    this.bitGenerator = bitGenerator;
  }

  /** A uniform number, a multiple of 2⁻⁵³ in [0, 1); with `size`, an array of them. */
  random(): number;
  /** An array of them. */
  random(size: number): Float64Array;
  random(size?: number): number | Float64Array {
    const bits = this.bitGenerator;
    if (size === undefined) return bits.nextDouble();
    const out = new Float64Array(size);
    if (bits.fillDoubles?.(out)) return out;
    for (let i = 0; i < size; i++) out[i] = bits.nextDouble();
    return out;
  }

  /**
   * Bernoulli draws, which NumPy spells `binomial(1, q)`.
   *
   * @param n Must be 1: a single trial.
   * @param q Probability of a one, in [0, 1].
   * @returns 0 or 1; with `size`, a Uint8Array of them.
   * @throws {RangeError} if `n` is not 1 or `q` is NaN or outside [0, 1].
   */
  binomial(n: 1, q: number): number;
  /** An array of them. */
  binomial(n: 1, q: number, size: number): Uint8Array;
  binomial(n: 1, q: number, size?: number): number | Uint8Array {
    if (n !== 1) throw new RangeError(`binomial draws single trials only: n must be 1, got ${n}`);
    const draws = unpackBits(this.bernoulliBits(q, size ?? 1), size ?? 1);
    return size === undefined ? draws[0] : draws;
  }

  /** Draws by inversion, as NumPy's `random_binomial_inversion` for n = 1. */
  bernoulliBits(q: number, n: number, out: Uint8Array = bitsFor(n)): Uint8Array {
    checkBits(out, n);
    const { first, second, atFirst } = binomialTrial(q);
    const source = this.bitGenerator;
    // The two probabilities may miss 1 by a rounding error, and NumPy then draws a number beyond both again. Where not
    // even the largest lies beyond them, each bit takes one number.
    const isOneEach = LARGEST - first <= second;
    if (isOneEach && source.fillBits?.(n, first, atFirst === 0, out)) return out;
    for (let byte = 0; byte < out.length; byte++) {
      let bits = 0;
      const end = Math.min(8, n - byte * 8);
      for (let bit = 0; bit < end; bit++) {
        let u = source.nextDouble();
        while (u - first > second) u = source.nextDouble();
        bits |= (Number(u > first) ^ atFirst) << bit;
      }
      out[byte] = bits;
    }
    return out;
  }
}

/** Room for n bits, all 0. */
export function bitsFor(n: number): Uint8Array {
  return new Uint8Array(Math.ceil(n / 8));
}

/** @throws {TypeError} if `out` is not just as long as `n` bits need. */
export function checkBits(out: Uint8Array, n: number): void {
  if (out.length !== Math.ceil(n / 8)) {
    throw new TypeError(`${n} bits need an array of ${Math.ceil(n / 8)} bytes, got ${out.length}`);
  }
}

/** One byte for each bit, the lowest bit of byte 0 first. */
export function unpackBits(bits: Uint8Array, n: number): Uint8Array {
  const out = new Uint8Array(n);
  for (let i = 0; i < n; i++) out[i] = (bits[i >>> 3] >> (i & 7)) & 1;
  return out;
}
