/**
 * NumPy's legacy stream: `numpy.random.seed`, `randn`, `binomial`, …
 * @module
 */

import { describe } from "../check.ts";
import type { FloatArray, Tensor } from "../tensor/mod.ts";
import { shuffledIntegers } from "./integers.ts";
import { MT19937 } from "./mt19937.ts";
import { entropyWords } from "./seed.ts";
import { drawSized } from "./size.ts";
import { checkRoom, type NormalStream, NumpyStream } from "./stream.ts";

/** A saved RandomState: plain data that JSON keeps exactly. */
export interface RandomStateState {
  /** Always "MT19937". */
  bitGenerator: "MT19937";
  /** 624 words of 32 bits. */
  key: number[];
  /** The next word, in [0, 624]. */
  pos: number;
  /** The second number of the last pair that `randn` made, if it has not been handed out. */
  gauss: number | null;
}

/**
 * The stream of `numpy.random.RandomState(seed)`, which is that of `numpy.random.seed(seed)`.
 *
 * `random` and `binomial` equal NumPy's bit for bit. `randn` differs from it by at most 3 ulp, in about one value of
 * 2800 (14,461 of 40 million), because C libraries round `log` differently.
 *
 * @example
 * ```ts
 * import { RandomState } from "./mod.ts";
 *
 * const rng = new RandomState(42);
 * console.log(rng.randn()); // 0.4967141530112327, as np.random.seed(42); np.random.randn()
 * console.log(rng.randn(2, 3).shape); // [2, 3]
 * ```
 */
export class RandomState extends NumpyStream<MT19937> implements NormalStream {
  #gauss: number | undefined;

  /**
   * Starts the stream.
   *
   * @param seed An integer in [0, 2³²); by default one from the operating system.
   * @throws {RangeError | TypeError} if the seed is anything else.
   */
  constructor(seed?: number) {
    super(new MT19937(seed === undefined ? entropyWords(1)[0] : seed));
  }

  /**
   * A number with mean 0 and variance 1, by Marsaglia's polar method. They come in pairs; the second waits for the next
   * call, whatever is drawn in between.
   */
  randn(): number;
  /** An array of them. */
  randn(size: number): Float64Array;
  /** A tensor of them; its lengths come one by one, as in NumPy: `randn(2, 3)`. */
  randn(...shape: [number, number, ...number[]]): Tensor;
  randn(...shape: number[]): number | Float64Array | Tensor {
    if (shape.length === 0) return this.#nextGauss();
    if (shape.some((length) => typeof length !== "number")) {
      throw new TypeError(
        `randn takes lengths one by one, as in randn(2, 3), got ${shape.map(describe).join(", ")}`,
      );
    }
    const size = shape.length === 1 ? shape[0] : shape;
    return drawSized<Float64Array>("randn", size, "float64", (out) => this.fillNormal(out));
  }

  /** Fills an array with normal numbers, as `randn` draws them; in float32 each is rounded. */
  fillNormal(out: FloatArray): void {
    checkRoom("fillNormal", out);
    const size = out.length;
    let filled = 0;
    if (size > 0 && this.#gauss !== undefined) out[filled++] = this.#nextGauss();
    while (filled < size) {
      // Each pair takes two uniform numbers or more, so that these are never too many.
      const uniform = this.random(2 * Math.ceil((size - filled) / 2));
      for (let i = 0; i < uniform.length; i += 2) {
        const x = 2 * uniform[i] - 1, y = 2 * uniform[i + 1] - 1;
        const factor = polarFactor(x, y);
        if (factor === 0) continue;
        out[filled++] = factor * y;
        if (filled < size) out[filled++] = factor * x;
        else this.#gauss = factor * x;
      }
    }
  }

  /**
   * 0 to n − 1 in random order, as NumPy's `RandomState.permutation(n)`.
   *
   * @throws {RangeError | TypeError} if `n` is not a non-negative integer below 2³¹.
   */
  permutation(n: number): Int32Array {
    return shuffledIntegers(n, () => this.bitGenerator.nextUint32());
  }

  /** Everything that the next draws depend on. */
  override getState(): RandomStateState {
    return { ...this.bitGenerator.getState(), gauss: this.#gauss ?? null };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of a RandomState; nothing is changed then.
   */
  override setState(state: RandomStateState): void {
    const { gauss } = state ?? {};
    if (gauss !== null && typeof gauss !== "number") {
      throw new TypeError(`Not a saved RandomState: gauss must be a number or null, got ${describe(gauss)}`);
    }
    this.bitGenerator.setState({ ...state });
    this.#gauss = gauss ?? undefined;
  }

  #nextGauss(): number {
    if (this.#gauss !== undefined) {
      const waiting = this.#gauss;
      this.#gauss = undefined;
      return waiting;
    }
    for (;;) {
      const x = 2 * this.bitGenerator.nextDouble() - 1;
      const y = 2 * this.bitGenerator.nextDouble() - 1;
      const factor = polarFactor(x, y);
      if (factor === 0) continue;
      this.#gauss = factor * x;
      return factor * y;
    }
  }
}

/** What makes two normal numbers of a point that is uniform in the unit circle; 0 if it lies outside, or is the centre. */
function polarFactor(x: number, y: number): number {
  const square = x * x + y * y;
  return square < 1 && square !== 0 ? Math.sqrt((-2 * Math.log(square)) / square) : 0;
}
