/**
 * NumPy's Generator: `numpy.random.default_rng(seed)`.
 * @module
 */

import { describe } from "../check.ts";
import type { FloatArray, Shape, Tensor } from "../tensor/mod.ts";
import { integerBelow, shuffledIntegers } from "./integers.ts";
import { PCG64 } from "./pcg64.ts";
import type { Seed } from "./seed.ts";
import { SeedSequence } from "./seed_sequence.ts";
import { checkOneSize, drawSized, type Size } from "./size.ts";
import { bitsFor, checkBits, checkRoom, type NormalStream, NumpyStream } from "./stream.ts";
import { DrawnAhead, fillStandardNormal, standardNormal } from "./ziggurat.ts";

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
 * @example
 * ```ts
 * import { defaultRng } from "./mod.ts";
 *
 * const rng = defaultRng(42);
 * console.log(rng.random()); // 0.7739560485559633, as np.random.default_rng(42).random()
 * console.log(rng.standardNormal([2, 3]).shape, rng.permutation(5)); // a tensor; 0 to 4 in random order
 * const [child] = rng.spawn(1); // a stream of its own
 * child.setState(JSON.parse(JSON.stringify(rng.getState()))); // now in the same place
 * ```
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
export class Generator extends NumpyStream<PCG64> implements NormalStream {
  /** The seed and this stream's place among its siblings. */
  get seedSequence(): SeedSequence {
    return this.bitGenerator.seedSequence;
  }

  /** A number with mean 0 and variance 1, by the ziggurat method. */
  standardNormal(): number;
  /** An array of them. */
  standardNormal(size: number): Float64Array;
  /** A tensor of them. */
  standardNormal(shape: Shape): Tensor;
  standardNormal(size?: Size, ...more: never[]): number | Float64Array | Tensor {
    checkOneSize("standardNormal", more);
    if (size === undefined) return standardNormal(this.bitGenerator);
    return drawSized<Float64Array>("standardNormal", size, "float64", (out) => this.fillNormal(out));
  }

  /** Fills an array with normal numbers; in float32 these are rounded, and not the ones that NumPy draws for that type. */
  fillNormal(out: FloatArray): void {
    checkRoom("fillNormal", out);
    fillStandardNormal(new DrawnAhead(this.bitGenerator, out.length), out);
  }

  /**
   * Integers with equal probability, by Lemire's method.
   *
   * @param low Smallest value.
   * @param high One more than the largest; high − low at most 2³².
   * @param size With a number, an array of that many; with a shape, a tensor.
   * @throws {RangeError} if the bounds are not safe integers with low < high ≤ low + 2³².
   */
  integers(low: number, high: number): number;
  /** An array of them. */
  integers(low: number, high: number, size: number): Float64Array;
  /** A tensor of them. */
  integers(low: number, high: number, shape: Shape): Tensor;
  integers(low: number, high: number, size?: Size): number | Float64Array | Tensor {
    const span = high - low;
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || span < 1 || span > 0x100000000) {
      throw new RangeError(
        `integers needs low < high ≤ low + 2³², both integers, got ${describe(low)} and ${describe(high)}`,
      );
    }
    if (size === undefined) return low + this.#below(span);
    return drawSized<Float64Array>("integers", size, "float64", (out) => {
      for (let i = 0; i < out.length; i++) out[i] = low + this.#below(span);
    });
  }

  /**
   * 0 to n − 1 in random order, as NumPy's `permutation(n)`.
   *
   * @throws {RangeError | TypeError} if `n` is not a non-negative integer below 2³¹.
   */
  permutation(n: number): Int32Array {
    return shuffledIntegers(n, () => this.bitGenerator.nextUint32());
  }

  /** Independent streams, the same ones each time that the program runs. */
  spawn(count: number): Generator[] {
    return this.seedSequence.spawn(count).map((child) => new Generator(new PCG64(child)));
  }

  /** Everything that the next draws depend on. How many children were spawned is not part of it, as in NumPy. */
  override getState(): GeneratorState {
    return this.bitGenerator.getState();
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of a Generator; nothing is changed then.
   */
  override setState(state: GeneratorState): void {
    this.bitGenerator.setState({ ...state });
  }

  /** As in NumPy, draws with probability 0 take nothing from the stream. */
  override bernoulliBits(q: number, n: number, out: Uint8Array = bitsFor(n)): Uint8Array {
    if (q !== 0) return super.bernoulliBits(q, n, out);
    checkBits(out, n);
    return out.fill(0);
  }

  #below(span: number): number {
    return integerBelow(span, () => this.bitGenerator.nextUint32());
  }
}
