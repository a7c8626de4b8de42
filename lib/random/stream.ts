/**
 * What a stream of random numbers is made of, and what dropout asks of one.
 * @module
 */

import { checkInteger, describe } from "../check.ts";
import { type FloatArray, type Shape, Tensor } from "../tensor/mod.ts";
import { binomialTrial } from "./binomial.ts";
import { checkOneSize, countOf, drawSized, type Size } from "./size.ts";

/** The largest double that a bit generator gives. */
const LARGEST = 1 - 2 ** -53;

/** A stream of random numbers: what layers draw their masks and their initial weights from. */
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
  /**
   * Fills an array with uniform numbers in [0, 1), never 1: in float32 with multiples of 2⁻²⁴, in float64 with finer
   * ones.
   */
  fillUniform(out: FloatArray): void;
  /** Everything that the next draws depend on, as plain data that JSON keeps exactly. */
  getState(): object;
  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of this kind of stream; nothing is changed then.
   */
  setState(state: object): void;
}

/** A stream that also has normal numbers. */
export interface NormalStream extends RandomStream {
  /** Fills an array with normal numbers of mean 0 and variance 1; in float32 each is rounded. */
  fillNormal(out: FloatArray): void;
}

/**
 * Refuses what is not a stream.
 *
 * @param where The function or class, as its user writes it.
 * @throws {TypeError} if it cannot draw masks and uniform numbers, or go back to a saved state.
 */
export function checkStream(where: string, rng: unknown): asserts rng is RandomStream {
  const { bernoulliBits, fillUniform, getState, setState } = (rng ?? {}) as Partial<RandomStream>;
  if ([bernoulliBits, fillUniform, getState, setState].some((method) => typeof method !== "function")) {
    throw new TypeError(
      `${where} needs a random stream, such as { rng: defaultRng(seed) }, got ${describe(rng)}`,
    );
  }
}

/**
 * Refuses a stream without normal numbers.
 *
 * @throws {TypeError} that names it.
 */
export function checkNormals(where: string, rng: unknown): asserts rng is NormalStream {
  checkStream(where, rng);
  if (typeof (rng as Partial<NormalStream>).fillNormal !== "function") {
    throw new TypeError(
      `${where} needs a stream with normal numbers, such as { rng: defaultRng(seed) }, got ${
        describe(rng)
      }, ` +
        "which has none",
    );
  }
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
  protected readonly bitGenerator: Bits;

  /**
   * Draws from a bit generator.
   *
   * @param bitGenerator Where the raw words come from.
   */
  constructor(bitGenerator: Bits) {
    this.bitGenerator = bitGenerator;
  }

  /** A uniform number, a multiple of 2⁻⁵³ in [0, 1). */
  random(): number;
  /** An array of them. */
  random(size: number): Float64Array;
  /** A tensor of them. */
  random(shape: Shape): Tensor;
  random(size?: Size, ...more: never[]): number | Float64Array | Tensor {
    checkOneSize("random", more);
    if (size === undefined) return this.bitGenerator.nextDouble();
    return drawSized<Float64Array>("random", size, "float64", (out) => this.fillUniform(out));
  }

  /**
   * Fills an array with uniform numbers: a double each in float64; in float32 the upper 24 bits of a word each, as
   * NumPy's `random(dtype=np.float32)`.
   */
  fillUniform(out: FloatArray): void {
    checkRoom("fillUniform", out);
    const bits = this.bitGenerator;
    if (out instanceof Float32Array) {
      for (let i = 0; i < out.length; i++) out[i] = (bits.nextUint32() >>> 8) / 0x1000000;
    } else if (!bits.fillDoubles?.(out)) {
      for (let i = 0; i < out.length; i++) out[i] = bits.nextDouble();
    }
  }

  /**
   * Bernoulli draws, which NumPy spells `binomial(1, q)`.
   *
   * @param n Must be 1: a single trial.
   * @param q Probability of a one, in [0, 1].
   * @returns 0 or 1; with a number as `size`, a Uint8Array of them, with a shape a tensor.
   * @throws {RangeError} if `n` is not 1 or `q` is NaN or outside [0, 1].
   */
  binomial(n: 1, q: number): number;
  /** An array of them. */
  binomial(n: 1, q: number, size: number): Uint8Array;
  /** A tensor of them. */
  binomial(n: 1, q: number, shape: Shape): Tensor;
  binomial(n: 1, q: number, size?: Size): number | Uint8Array | Tensor {
    if (n !== 1) throw new RangeError(`binomial draws single trials only: n must be 1, got ${describe(n)}`);
    const count = size === undefined ? 1 : countOf("binomial", size);
    const draws = unpackBits(this.bernoulliBits(q, count), count);
    if (size === undefined) return draws[0];
    return typeof size === "number" ? draws : new Tensor(Float64Array.from(draws), size);
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

  /** Everything that the next draws depend on. */
  abstract getState(): object;
  /** Goes on from a saved state. */
  abstract setState(state: object): void;
}

/** Refuses what is not an array of floats. @throws {TypeError} if it is anything else. */
export function checkRoom(where: string, out: unknown): asserts out is FloatArray {
  if (out instanceof Float32Array || out instanceof Float64Array) return;
  throw new TypeError(`${where} needs a Float32Array or a Float64Array to fill, got ${describe(out)}`);
}

/** Room for n bits, all 0. @throws {RangeError | TypeError} if `n` is not a number of bits. */
export function bitsFor(n: number): Uint8Array {
  checkInteger("The number of bits", n);
  return new Uint8Array(Math.ceil(n / 8));
}

/** Refuses room that is not just as long as `n` bits need. @throws {TypeError} if it is not. */
export function checkBits(out: Uint8Array, n: number): void {
  checkInteger("The number of bits", n);
  if (!(out instanceof Uint8Array)) throw new TypeError(`Bits need a Uint8Array, got ${describe(out)}`);
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
