/**
 * MT19937, the Mersenne Twister, seeded as `numpy.random.seed` and `torch.manual_seed` seed it.
 *
 * Source: M. Matsumoto and T. Nishimura, ACM TOMACS 8 (1998).
 * @module
 */

import * as simd from "../simd/random.ts";
import { toLegacySeed } from "./seed.ts";
import type { BitGenerator } from "./stream.ts";

const N = 624;
const M = 397;

/** Where the place of the next output is kept. */
const POSITION = 2 * N;

/** How two words make a double: from the upper 27 and 26 bits of them (NumPy), or from the lowest 53 (PyTorch). */
export type DoubleBits = "upper" | "lowest";

/** 624 words of state; a block of 624 outputs is made at a time. */
export class MT19937 implements BitGenerator {
  readonly name = "MT19937";
  /** The words, the outputs that were made from them, and the place of the next output. */
  readonly #state = new Uint32Array(2 * N + 1);
  readonly #key = this.#state.subarray(0, N);

  /**
   * Seeds the generator.
   *
   * @param seed An integer in [0, 2³²).
   * @throws {RangeError | TypeError} if the seed is anything else.
   */
  constructor(seed: number) {
    this.#key[0] = toLegacySeed(seed);
    for (let i = 1; i < N; i++) {
      const previous = this.#key[i - 1];
      this.#key[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
    this.#state[POSITION] = N;
  }

  nextUint32(): number {
    const state = this.#state;
    if (state[POSITION] === N) this.#nextBlock();
    return state[N + state[POSITION]++];
  }

  /** 53 bits from two words: the upper 27 of the first, the upper 26 of the second. */
  nextDouble(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  /**
   * Fills an array with doubles, as one `nextDouble` after the other would, or with PyTorch's.
   *
   * @returns False, having done nothing, where that would save no time.
   */
  fillDoubles(out: Float64Array, from: DoubleBits = "upper"): boolean {
    return simd.mt19937Doubles(this.#state, out, from === "lowest");
  }

  /**
   * Fills an array with PyTorch's floats: the lowest 24 bits of a word for each, times 2⁻²⁴.
   *
   * @returns False, having done nothing, where that would save no time.
   */
  fillFloats(out: Float32Array): boolean {
    return simd.mt19937Floats(this.#state, out);
  }

  /** Draws `n` doubles and keeps a bit of each, as `BitGenerator` says; or of PyTorch's doubles. */
  fillBits(
    n: number,
    limit: number,
    inverted: boolean,
    out: Uint8Array,
    from: DoubleBits = "upper",
  ): boolean {
    return simd.mt19937Bits(this.#state, out, n, { limit, inverted }, from === "lowest");
  }

  getState(): { bitGenerator: "MT19937"; key: number[]; pos: number } {
    return { bitGenerator: "MT19937", key: Array.from(this.#key), pos: this.#state[POSITION] };
  }

  setState(state: Record<string, unknown>): void {
    const { bitGenerator, key, pos } = state ?? {};
    const words = Array.isArray(key) && key.length === N && key.every((word) => word >>> 0 === word);
    if (
      bitGenerator !== this.name || !words || !Number.isInteger(pos) || Number(pos) < 0 || Number(pos) > N
    ) {
      throw new TypeError(
        `Not a saved state of MT19937: it needs bitGenerator "MT19937", a key of ${N} words of 32 bits ` +
          `and pos in [0, ${N}]`,
      );
    }
    this.#key.set(key);
    this.#temper();
    this.#state[POSITION] = Number(pos);
  }

  #nextBlock(): void {
    if (!simd.mt19937Block(this.#state)) {
      this.#twist();
      this.#temper();
    }
    this.#state[POSITION] = 0;
  }

  /** The next 624 words: each from its successor and from the word 397 places on, in a circle. */
  #twist(): void {
    const key = this.#key;
    let i = 0;
    for (; i < N - M; i++) key[i] = key[i + M] ^ twisted(key[i], key[i + 1]);
    for (; i < N - 1; i++) key[i] = key[i + M - N] ^ twisted(key[i], key[i + 1]);
    key[i] = key[M - 1] ^ twisted(key[i], key[0]);
  }

  /** The outputs that belong to the words. */
  #temper(): void {
    for (let i = 0; i < N; i++) {
      let y = this.#key[i];
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      this.#state[N + i] = y ^ (y >>> 18);
    }
  }
}

function twisted(upper: number, lower: number): number {
  const y = (upper & 0x80000000) | (lower & 0x7fffffff);
  return (y >>> 1) ^ (-(y & 1) & 0x9908b0df);
}
