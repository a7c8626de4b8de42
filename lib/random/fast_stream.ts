/**
 * A stream made for speed: masks that cost little more than a copy of the numbers that they mask.
 * @module
 */

import { checkInteger, checkProbability } from "../check.ts";
import * as simd from "../simd/dropout.ts";
import type { FloatArray, Shape, Tensor } from "../tensor/mod.ts";
import { shuffledIntegers } from "./integers.ts";
import { toDouble } from "./pcg64.ts";
import type { Seed } from "./seed.ts";
import { SeedSequence } from "./seed_sequence.ts";
import { checkOneSize, drawSized, type Size } from "./size.ts";
import { bitsFor, checkBits, checkRoom, type NormalStream } from "./stream.ts";
import { fillStandardNormal, standardNormal, type WordSource } from "./ziggurat.ts";

/** A saved FastStream: plain data that JSON keeps exactly. */
export interface FastStreamState {
  /** Always "sfc32x4". */
  bitGenerator: "sfc32x4";
  /** 48 words: a, b, c and d, each four lanes wide, of three generators. */
  words: number[];
}

const TWO_32 = 0x100000000;
const LANES = 4;
/** Words of one generator. */
const GENERATOR = 4 * LANES;
/** Steps after which no word shows any more what the seed was. */
const WARM_UP = 15;
/** Elements that are drawn together. */
const BLOCK = 32;

/**
 * Random bits from three sfc32 generators, each of four lanes: the same seed gives the same bits on every machine.
 *
 * An element's number has 32 bits, but only as many bytes of it are drawn as the comparison needs: one, and another
 * if that equals the threshold's. Elements come in blocks of 32: the first 16 take their bytes from generator A, the
 * others from B, and further bytes come from C. Each call starts a new block.
 *
 * Uniform numbers are the upper bits of such words, 4 from A, 4 from B and so on; normal numbers come from those by the
 * ziggurat method.
 *
 * Neither NumPy nor PyTorch has this stream; take `defaultRng` or `TorchGenerator` to reproduce what they draw.
 * Source: C. Doty-Humphrey, PractRand (sfc32).
 *
 * @example
 * ```ts
 * import { FastStream, invertedDropout, ones } from "../mod.ts";
 *
 * const rng = new FastStream(42); // what { seed: 42 } stands for
 * console.log(invertedDropout(ones([2, 3]), 0.5, { rng }).output.toArray());
 * console.log(rng.random(2), rng.standardNormal([2, 2]));
 * ```
 */
export class FastStream implements NormalStream {
  /** Where the seed came from; children are spawned from it. */
  readonly seedSequence: SeedSequence;
  readonly #words = new Uint32Array(3 * GENERATOR);
  readonly #bytes = new Uint8Array(4 * LANES);
  readonly #output = new Uint32Array(this.#bytes.buffer);

  /**
   * Seeds the stream.
   *
   * @param seed Non-negative integers (bigint from 2⁵³ on) or a SeedSequence; by default fresh entropy.
   * @throws {RangeError | TypeError} if the seed is negative, fractional, inexact or not a number.
   */
  constructor(seed?: Seed | SeedSequence) {
    this.seedSequence = seed instanceof SeedSequence ? seed : new SeedSequence(seed);
    const words = this.seedSequence.generateState(3 * 3 * LANES);
    for (let generator = 0; generator < 3; generator++) {
      const start = generator * GENERATOR;
      this.#words.set(words.subarray(generator * 3 * LANES, (generator + 1) * 3 * LANES), start);
      this.#words.fill(1, start + 3 * LANES, start + GENERATOR); // d counts the steps, from 1
      for (let i = 0; i < WARM_UP; i++) this.#step(generator);
    }
  }

  /**
   * `n` independent draws that are 1 with probability `q`, one bit each, the first in the lowest bit of byte 0.
   *
   * @param q In [0, 1]; rounded to a multiple of 2⁻³². Draws with probability 0 or 1 take nothing from the stream.
   * @throws {RangeError} if `q` is NaN or outside [0, 1].
   */
  bernoulliBits(q: number, n: number, out: Uint8Array = bitsFor(n)): Uint8Array {
    checkBits(out, n);
    const threshold = thresholdOf(q);
    if (threshold === 0) return out.fill(0);
    if (threshold === TWO_32) return clearUnused(out.fill(0xff), n);
    if (!simd.fastBits(n, this.#words, threshold, out)) this.#drawBits(threshold, n, out);
    return out;
  }

  /**
   * Draws bits and applies them at once: `y` becomes scale · x where the bit is 1, +0 elsewhere.
   *
   * @returns False, having done nothing, if that saves no time here.
   */
  dropout(
    q: number,
    x: Float32Array | Float64Array,
    y: Float32Array | Float64Array,
    scale: number,
    bits: Uint8Array,
  ): boolean {
    checkRoom("dropout", x);
    checkRoom("dropout", y);
    checkBits(bits, x.length);
    if (y.length !== x.length || y.constructor !== x.constructor) {
      throw new TypeError("dropout: x and y must be arrays of one type and length");
    }
    const threshold = thresholdOf(q);
    if (threshold === 0 || threshold === TWO_32) return false;
    return simd.fastDropout(x, y, this.#words, threshold, scale, bits);
  }

  /** The next bytes, as elements take their first ones: 16 from generator A, 16 from B, and so on. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    checkInteger("bytes: count", count);
    const out = new Uint8Array(Math.ceil(count / BLOCK) * BLOCK);
    for (let start = 0; start < out.length; start += 16) out.set(this.#step((start / 16) % 2), start);
    return out.subarray(0, count);
  }

  /** A uniform number, a multiple of 2⁻⁵³ in [0, 1). */
  random(): number;
  /** An array of them. */
  random(size: number): Float64Array;
  /** A tensor of them. */
  random(shape: Shape): Tensor;
  random(size?: Size, ...more: never[]): number | Float64Array | Tensor {
    checkOneSize("random", more);
    if (size === undefined) return this.#source().nextDouble();
    return drawSized<Float64Array>("random", size, "float64", (out) => this.fillUniform(out));
  }

  /** A number with mean 0 and variance 1. */
  standardNormal(): number;
  /** An array of them. */
  standardNormal(size: number): Float64Array;
  /** A tensor of them. */
  standardNormal(shape: Shape): Tensor;
  standardNormal(size?: Size, ...more: never[]): number | Float64Array | Tensor {
    checkOneSize("standardNormal", more);
    if (size === undefined) return standardNormal(this.#source());
    return drawSized<Float64Array>("standardNormal", size, "float64", (out) => this.fillNormal(out));
  }

  /** Fills an array with uniform numbers: the upper 24 bits of a word in float32, the upper 53 of two in float64. */
  fillUniform(out: FloatArray): void {
    checkRoom("fillUniform", out);
    if (out instanceof Float32Array) {
      const next = this.#nextWord();
      for (let i = 0; i < out.length; i++) out[i] = (next() >>> 8) / 0x1000000;
    } else {
      const source = this.#source();
      for (let i = 0; i < out.length; i++) out[i] = source.nextDouble();
    }
  }

  /** Fills an array with normal numbers; in float32 each is rounded. */
  fillNormal(out: FloatArray): void {
    checkRoom("fillNormal", out);
    fillStandardNormal(this.#source(), out);
  }

  /**
   * 0 to n − 1 in random order.
   *
   * @throws {RangeError | TypeError} if `n` is not a non-negative integer below 2³¹.
   */
  permutation(n: number): Int32Array {
    return shuffledIntegers(n, this.#nextWord());
  }

  /** Independent streams, the same ones each time that the program runs. */
  spawn(count: number): FastStream[] {
    return this.seedSequence.spawn(count).map((child) => new FastStream(child));
  }

  /** Everything that the next draws depend on. */
  getState(): FastStreamState {
    return { bitGenerator: "sfc32x4", words: Array.from(this.#words) };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of a FastStream; nothing is changed then.
   */
  setState(state: FastStreamState): void {
    const { bitGenerator, words } = state ?? {};
    const fits = Array.isArray(words) && words.length === this.#words.length &&
      words.every((word) => word >>> 0 === word);
    if (bitGenerator !== "sfc32x4" || !fits) {
      throw new TypeError(
        'Not a saved state of a FastStream: it needs bitGenerator "sfc32x4" and 48 words of 32 bits',
      );
    }
    this.#words.set(words);
  }

  /** Words of 32 bits, one after the other: the bytes that `bytes` gives, four at a time. */
  #nextWord(): () => number {
    let [generator, next] = [1, LANES];
    return () => {
      if (next === LANES) {
        generator = 1 - generator;
        this.#step(generator);
        next = 0;
      }
      return this.#output[next++];
    };
  }

  /** The same words in pairs, the lower one first. */
  #source(): WordSource {
    const next = this.#nextWord();
    const nextWords = () => {
      const low = next();
      return { high: next(), low };
    };
    const nextDouble = () => {
      const { high, low } = nextWords();
      return toDouble(high, low);
    };
    return { nextWords, nextDouble };
  }

  /** What the kernel does, in plain TypeScript. */
  #drawBits(threshold: number, n: number, out: Uint8Array): void {
    out.fill(0);
    for (let start = 0; start < n; start += BLOCK) {
      for (const [generator, offset] of [[0, start], [1, start + 16]]) {
        const keeps = this.#drawSixteen(generator, threshold);
        if (offset < n) out[offset / 8] = keeps;
        if (offset + 8 < n) out[offset / 8 + 1] = keeps >> 8;
      }
    }
    clearUnused(out, n);
  }

  /** Sixteen bits: whether each number of 32 bits lies below the threshold. */
  #drawSixteen(generator: number, threshold: number): number {
    let [below, tied] = [0, 0xffff];
    for (let shift = 24; shift >= 0 && tied !== 0; shift -= 8) {
      // A threshold of one byte is decided by one: the others are all 0, and nothing lies below 0.
      if (shift === 16 && (threshold & 0xffffff) === 0) break;
      const bytes = this.#step(shift === 24 ? generator : 2);
      const limit = (threshold >>> shift) & 0xff;
      for (let i = 0; i < 16; i++) {
        if (((tied >> i) & 1) === 0 || bytes[i] === limit) continue;
        below |= Number(bytes[i] < limit) << i;
        tied &= ~(1 << i);
      }
    }
    return below;
  }

  /** Sixteen bytes of a generator, which advances. */
  #step(generator: number): Uint8Array {
    const words = this.#words;
    for (let lane = 0; lane < LANES; lane++) {
      const a = generator * GENERATOR + lane, b = a + LANES, c = b + LANES, d = c + LANES;
      const output = (words[a] + words[b] + words[d]) | 0;
      const [oldB, oldC] = [words[b], words[c]];
      words[a] = oldB ^ (oldB >>> 9);
      words[b] = oldC + (oldC << 3);
      words[c] = ((oldC << 21) | (oldC >>> 11)) + output;
      words[d]++;
      this.#output[lane] = output;
    }
    return this.#bytes;
  }
}

/** q as an integer number of 2⁻³² parts. */
function thresholdOf(q: unknown): number {
  checkProbability("The probability of a one", q);
  return Math.round(q * TWO_32);
}

function clearUnused(bits: Uint8Array, n: number): Uint8Array {
  if (n % 8 !== 0) bits[bits.length - 1] &= (1 << (n % 8)) - 1;
  return bits;
}
