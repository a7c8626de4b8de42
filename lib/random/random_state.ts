/**
 * NumPy's legacy stream: `numpy.random.seed`, `randn`, `binomial`, …
 * @module
 */

import { MT19937 } from "./mt19937.ts";
import { entropyWords } from "./seed.ts";
import { NumpyStream } from "./stream.ts";

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
 * `random` and `binomial` equal NumPy's bit for bit. `randn` differs from it by at most 2 ulp, in about one value of
 * 2000, because C libraries round `log` differently.
 */
export class RandomState extends NumpyStream<MT19937> {
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
   * Numbers with mean 0 and variance 1, by Marsaglia's polar method. They come in pairs; the second waits for the
   * next call, whatever is drawn in between.
   *
   * @param size With it, an array of that many.
   */
  randn(): number;
  /** An array of them. */
  randn(size: number): Float64Array;
  randn(size?: number): number | Float64Array {
    if (size === undefined) return this.#nextGauss();
    const out = new Float64Array(size);
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
    return out;
  }

  /** Everything that the next draws depend on. */
  getState(): RandomStateState {
    return { ...this.bitGenerator.getState(), gauss: this.#gauss ?? null };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} if it is not a state of a RandomState; nothing is changed then.
   */
  setState(state: RandomStateState): void {
    if (state.gauss !== null && typeof state.gauss !== "number") {
      throw new TypeError(`Not a saved RandomState: gauss must be a number or null, got ${state.gauss}`);
    }
    this.bitGenerator.setState({ ...state });
    this.#gauss = state.gauss ?? undefined;
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
