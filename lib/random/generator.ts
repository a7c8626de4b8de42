/**
 * NumPy's Generator: `numpy.random.default_rng(seed)`.
 * @module
 */

import { PCG64 } from "./pcg64.ts";
import type { Seed } from "./seed.ts";
import { SeedSequence } from "./seed_sequence.ts";
import { bitsFor, checkBits, NumpyStream } from "./stream.ts";
import { standardNormal, standardNormals } from "./ziggurat.ts";

/** A saved Generator: plain data that JSON keeps exactly. */
export interface GeneratorState {
  /** Always "PCG64". */
  bitGenerator: "PCG64";
  /** 128 bits, in decimal. */
  state: string;
  /** 128 bits, odd, in decimal. */
  inc: string;
  /** Half of an output that waits for the next 32-bit draw. */
  uinteger: number | null;
}

/**
 * NumPy's `default_rng(seed)`: the same seed gives the same numbers.
 *
 * @param seed Non-negative integers (bigint from 2⁵³ on) or a SeedSequence; by default fresh entropy, which
 *   `rng.seedSequence.entropy` tells.
 * @throws {RangeError | TypeError} if the seed is negative, fractional, inexact or not a number.
 */
export function defaultRng(seed?: Seed | SeedSequence): Generator {
  return new Generator(new PCG64(seed instanceof SeedSequence ? seed : new SeedSequence(seed)));
}

/**
 * The stream of NumPy's `Generator(PCG64(…))`.
 *
 * `random`, `binomial` and `integers` equal NumPy's bit for bit. `standardNormal` does up to the tails, where at most
 * 3 values in 10⁶ differ, by 1 ulp, because C libraries round `log1p` differently.
 */
export class Generator extends NumpyStream<PCG64> {
  /** The seed and this stream's place among its siblings. */
  get seedSequence(): SeedSequence {
    return this.bitGenerator.seedSequence;
  }

  /** Numbers with mean 0 and variance 1, by the ziggurat method; with `size`, an array. */
  standardNormal(): number;
  /** An array of them. */
  standardNormal(size: number): Float64Array;
  standardNormal(size?: number): number | Float64Array {
    if (size === undefined) return standardNormal(this.bitGenerator);
    return standardNormals(this.bitGenerator, size);
  }

  /**
   * Integers with equal probability, by Lemire's method.
   *
   * @param low Smallest value.
   * @param high One more than the largest; high − low at most 2³².
   * @param size With it, an array of that many.
   * @throws {RangeError} if the bounds are not safe integers with low < high ≤ low + 2³².
   */
  integers(low: number, high: number): number;
  /** An array of them. */
  integers(low: number, high: number, size: number): Float64Array;
  integers(low: number, high: number, size?: number): number | Float64Array {
    const span = high - low;
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || span < 1 || span > 0x100000000) {
      throw new RangeError(`integers needs low < high ≤ low + 2³², both integers, got ${low} and ${high}`);
    }
    if (size === undefined) return low + this.#below(span);
    return new Float64Array(size).map(() => low + this.#below(span));
  }

  /** Independent streams, the same ones each time that the program runs. */
  spawn(count: number): Generator[] {
    return this.seedSequence.spawn(count).map((child) => new Generator(new PCG64(child)));
  }

  /** Everything that the next draws depend on. How many children were spawned is not part of it, as in NumPy. */
  getState(): GeneratorState {
    return this.bitGenerator.getState();
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of a Generator; nothing is changed then.
   */
  setState(state: GeneratorState): void {
    this.bitGenerator.setState({ ...state });
  }

  /** As in NumPy, draws with probability 0 take nothing from the stream. */
  override bernoulliBits(q: number, n: number, out: Uint8Array = bitsFor(n)): Uint8Array {
    if (q !== 0) return super.bernoulliBits(q, n, out);
    checkBits(out, n);
    return out.fill(0);
  }

  /** An integer in [0, span): the upper word of a 32 × 32-bit product, without the few that would favour some. */
  #below(span: number): number {
    if (span === 1) return 0;
    if (span === 0x100000000) return this.bitGenerator.nextUint32();
    const surplus = 0x100000000 % span;
    for (;;) {
      const product = BigInt(this.bitGenerator.nextUint32()) * BigInt(span);
      if (Number(product & 0xffffffffn) >= surplus) return Number(product >> 32n);
    }
  }
}
