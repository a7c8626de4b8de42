/**
 * PyTorch's CPU stream: `torch.manual_seed`, `rand`, `randn`, `bernoulli`, and the masks of `nn.Dropout`.
 *
 * Source: PyTorch, `aten/src/ATen/core/DistributionsHelper.h` and `aten/src/ATen/native/cpu/DistributionTemplates.h`.
 * @module
 */

import { checkInteger, checkOptions, checkProbability, describe } from "../check.ts";
import { type FloatArray, type Shape, Tensor } from "../tensor/mod.ts";
import { MT19937 } from "./mt19937.ts";
import { countOf, drawSized, type Size } from "./size.ts";
import { bitsFor, checkBits, checkRoom, type NormalStream, unpackBits } from "./stream.ts";

/** A saved TorchGenerator: plain data that JSON keeps exactly. */
export interface TorchGeneratorState {
  /** Always "MT19937". */
  bitGenerator: "MT19937";
  /** 624 words of 32 bits. */
  key: number[];
  /** The next word, in [0, 624]. */
  pos: number;
  /** The second number of the last pair that `randn` made one by one, if it has not been handed out. */
  nextNormal: number | null;
}

/** The element type of a result; `float32` by default, as in PyTorch. */
export interface TorchOptions<Type extends "float32" | "float64" = "float32" | "float64"> {
  /** Single precision takes one word of 32 bits from the stream where double precision takes two. */
  dtype?: Type;
}

const TWO_53 = 2 ** 53;
/** PyTorch fills arrays from this size on in blocks of so many numbers. */
const BLOCK = 16;
/** Of more elements, PyTorch takes 64 bits to place each one. */
const LARGEST_PERMUTATION = Math.floor(0xffffffff / 20) - 1;

/**
 * The stream of PyTorch on the CPU after `torch.manual_seed(seed)`.
 *
 * As checked against PyTorch 1.13 without MKL on x86: `rand`, `bernoulli`, `uniform` and the masks of `nn.Dropout` agree
 * bit for bit, `randn` does in float64 (up to the C library's rounding of `log`, `sin` and `cos`) and in float32 for fewer
 * than 16 numbers. For 16 or more, PyTorch's vector code has its own `log`, `sin` and `cos`, good to about a rounding each:
 * two thirds of its numbers are these, the others differ by 10⁻⁷ or so, and by less than 2·10⁻⁶ where they are largest.
 * PyTorch 2.13.0 from PyPI, which is built with MKL, draws the same masks on an Intel Xeon; other machines were not tried.
 *
 * @example
 * ```ts
 * import { InvertedDropout, Linear, TorchGenerator } from "../mod.ts";
 *
 * const rng = new TorchGenerator(42); // torch.manual_seed(42)
 * const linear = new Linear(4, 2, { rng, dtype: "float32" });
 * const dropout = new InvertedDropout(0.5, { rng });
 * console.log(dropout(linear(rng.randn([3, 4]))).shape); // [3, 2]
 * ```
 */
export class TorchGenerator implements NormalStream {
  readonly #bits: MT19937;
  #nextNormal: number | undefined;

  /**
   * Starts the stream.
   *
   * @param seed An integer in [0, 2³²). `torch.manual_seed` takes larger and negative ones too, but the stream sees
   *   their lowest 32 bits only.
   * @throws {RangeError | TypeError} if the seed is anything else.
   */
  constructor(seed: number) {
    checkInteger("The seed of a TorchGenerator", seed, 0, 0xffffffff);
    this.#bits = new MT19937(seed);
  }

  /**
   * Uniform numbers in [0, 1): multiples of 2⁻²⁴, or of 2⁻⁵³ in float64.
   *
   * @throws {RangeError} if `size` is not a non-negative integer.
   */
  rand(size: number, options?: TorchOptions<"float32">): Float32Array;
  /** In double precision. */
  rand(size: number, options: TorchOptions<"float64">): Float64Array;
  /** A tensor of them. */
  rand(shape: Shape, options?: TorchOptions): Tensor;
  rand(size: Size, options: TorchOptions = {}): FloatArray | Tensor {
    checkOptions("rand", options, ["dtype"]);
    return drawSized("rand", size, options.dtype ?? "float32", (out) => this.fillUniform(out));
  }

  /**
   * Numbers with mean 0 and variance 1, by the method of Box and Muller.
   *
   * Fewer than 16 come one by one; the second of a pair waits for the next such call. 16 or more come in blocks, and
   * leave the one that waits alone: `randn(8)` twice is not `randn(16)`.
   *
   * @throws {RangeError} if `size` is not a non-negative integer.
   */
  randn(size: number, options?: TorchOptions<"float32">): Float32Array;
  /** In double precision. */
  randn(size: number, options: TorchOptions<"float64">): Float64Array;
  /** A tensor of them. */
  randn(shape: Shape, options?: TorchOptions): Tensor;
  randn(size: Size, options: TorchOptions = {}): FloatArray | Tensor {
    checkOptions("randn", options, ["dtype"]);
    return drawSized("randn", size, options.dtype ?? "float32", (out) => this.fillNormal(out));
  }

  /** Fills an array with normal numbers, as `randn` draws them for its type. */
  fillNormal(out: FloatArray): void {
    checkRoom("fillNormal", out);
    const size = out.length;
    if (size < BLOCK) {
      for (let i = 0; i < size; i++) out[i] = this.#normal();
      return;
    }
    this.fillUniform(out);
    for (let start = 0; start + BLOCK <= size; start += BLOCK) toNormal(out, start);
    if (size % BLOCK !== 0) {
      // As PyTorch does: the last 16 are drawn again, also those that were normal already.
      this.fillUniform(out.subarray(-BLOCK));
      toNormal(out, size - BLOCK);
    }
  }

  /**
   * 0 to n − 1 in random order, as `torch.randperm(n)`.
   *
   * @throws {RangeError | TypeError} if `n` is not a non-negative integer below 2³²/20, where PyTorch draws otherwise.
   */
  randperm(n: number): Int32Array {
    checkInteger("randperm: n", n, 0, LARGEST_PERMUTATION);
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < n - 1; i++) {
      const j = i + this.#bits.nextUint32() % (n - i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /**
   * Uniform numbers between two bounds, as `tensor.uniform_(from, to)` draws them in float32.
   *
   * u·(to − from) + from is rounded once, as PyTorch's fused multiply-add rounds it. That is exact here as long as both
   * bounds lie within 32 widths of 0; beyond, two roundings may differ from one.
   *
   * @param size How many.
   * @param from Lower bound, rounded to float32.
   * @param to Upper bound, rounded to float32; not below `from`. Rounding may return it.
   * @throws {RangeError} if from > to or float32 cannot hold to − from, or `size` is not a non-negative integer.
   */
  uniform(size: number, from: number, to: number): Float32Array {
    const low = Math.fround(from);
    const width = Math.fround(Math.fround(to) - low);
    if (!(from <= to) || !Number.isFinite(width)) {
      throw new RangeError(
        `uniform needs bounds with from ≤ to whose difference float32 can hold, got ${from} and ${to}`,
      );
    }
    // Two numbers of 24 bits: their product is exact, and so is the sum until the array rounds it.
    checkInteger("uniform: size", size);
    return this.rand(size).map((u) => u * width + low);
  }

  /**
   * Zeros and ones, as `tensor.bernoulli_(p)` draws them: a one where a uniform double lies below `p`. Takes two words
   * per draw from the stream, whatever the type of the tensor.
   *
   * @param p Probability of a one, in [0, 1].
   * @throws {RangeError} if a probability is NaN or outside [0, 1]; nothing is drawn then.
   */
  bernoulli(p: number, size: number): Uint8Array;
  /** A tensor of them. */
  bernoulli(p: number, shape: Shape): Tensor;
  /** One draw for each probability, as `torch.bernoulli(p)` does; float32 ones are compared with 24-bit numbers. */
  bernoulli(p: FloatArray): Uint8Array;
  bernoulli(p: number | FloatArray, size: Size = 1): Uint8Array | Tensor {
    if (p instanceof Float32Array || p instanceof Float64Array) {
      for (const each of p) checkOne(each);
      const uniform = p instanceof Float32Array ? () => this.#uniform24() : () => this.#uniform53();
      return Uint8Array.from(p, (threshold) => Number(uniform() < threshold));
    }
    checkOne(p);
    const count = countOf("bernoulli", size);
    const draws = unpackBits(this.#drawBits(p, count, bitsFor(count)), count);
    return typeof size === "number" ? draws : new Tensor(Float64Array.from(draws), size);
  }

  /**
   * The mask of `nn.Dropout(1 − q)`: the bits of `bernoulli(q, n)`. For q = 0 nothing is taken from the stream, since
   * `nn.Dropout(1)` returns zeros without drawing.
   *
   * @throws {RangeError} if `q` is NaN or outside [0, 1].
   * @throws {TypeError} if `out` does not have ⌈n/8⌉ bytes.
   */
  bernoulliBits(q: number, n: number, out: Uint8Array = bitsFor(n)): Uint8Array {
    checkOne(q);
    checkBits(out, n);
    return q === 0 ? out.fill(0) : this.#drawBits(q, n, out);
  }

  /** Everything that the next draws depend on. */
  getState(): TorchGeneratorState {
    return { ...this.#bits.getState(), nextNormal: this.#nextNormal ?? null };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of a TorchGenerator; nothing is changed then.
   */
  setState(state: TorchGeneratorState): void {
    const { nextNormal } = state ?? {};
    if (nextNormal !== null && !Number.isFinite(nextNormal)) {
      throw new TypeError(
        `Not a saved TorchGenerator: nextNormal must be a number or null, got ${describe(nextNormal)}`,
      );
    }
    this.#bits.setState({ ...state });
    this.#nextNormal = nextNormal ?? undefined;
  }

  /** Ones where a uniform double lies below `p`, one bit each. */
  #drawBits(p: number, n: number, out: Uint8Array): Uint8Array {
    const largestBelow = (Math.ceil(p * TWO_53) - 1) / TWO_53;
    if (this.#bits.fillBits(n, largestBelow, false, out, "lowest")) return out;
    for (let byte = 0; byte < out.length; byte++) {
      let bits = 0;
      const end = Math.min(8, n - byte * 8);
      for (let bit = 0; bit < end; bit++) bits |= Number(this.#uniform53() < p) << bit;
      out[byte] = bits;
    }
    return out;
  }

  /** Fills an array with uniform numbers, as `rand` draws them for its type. */
  fillUniform(values: FloatArray): void {
    checkRoom("fillUniform", values);
    const single = values instanceof Float32Array;
    if (single ? this.#bits.fillFloats(values) : this.#bits.fillDoubles(values, "lowest")) return;
    for (let i = 0; i < values.length; i++) values[i] = single ? this.#uniform24() : this.#uniform53();
  }

  /** The lowest 24 bits of a word. */
  #uniform24(): number {
    return (this.#bits.nextUint32() & 0xffffff) / 0x1000000;
  }

  /** The lowest 53 bits of two words, of which the first is the upper. NumPy takes other bits of the same words. */
  #uniform53(): number {
    const high = this.#bits.nextUint32() & 0x1fffff;
    const low = this.#bits.nextUint32();
    return (high * 0x100000000 + low) / TWO_53;
  }

  /** One number of a pair, always computed in double precision. */
  #normal(): number {
    if (this.#nextNormal !== undefined) {
      const waiting = this.#nextNormal;
      this.#nextNormal = undefined;
      return waiting;
    }
    const angle = 2 * Math.PI * this.#uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()));
    this.#nextNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/**
 * Turns 16 uniform numbers into normal ones: the first 8 give the radii, the last 8 the angles. In float32 every step
 * is rounded, as PyTorch computes it.
 */
function toNormal(values: Float32Array | Float64Array, start: number): void {
  const round = values instanceof Float32Array ? Math.fround : (x: number) => x;
  const circle = round(2 * Math.PI);
  for (let i = start; i < start + BLOCK / 2; i++) {
    const radius = round(Math.sqrt(-2 * round(Math.log(1 - values[i]))));
    const angle = round(circle * values[i + BLOCK / 2]);
    values[i] = radius * round(Math.cos(angle));
    values[i + BLOCK / 2] = radius * round(Math.sin(angle));
  }
}

function checkOne(p: unknown): asserts p is number {
  checkProbability("The probability of a one", p);
}
