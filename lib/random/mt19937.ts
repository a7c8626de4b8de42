/**
 * MT19937, the Mersenne Twister, seeded as `numpy.random.seed` and `torch.manual_seed` seed it.
 *
 * Source: M. Matsumoto and T. Nishimura, ACM TOMACS 8 (1998).
 * @module
 */

import { toLegacySeed } from "./seed.ts";
import type { BitGenerator } from "./stream.ts";

const N = 624;
const M = 397;

/** 624 words of state; a block of 624 outputs is made at a time. */
export class MT19937 implements BitGenerator {
  readonly name = "MT19937";
  readonly #key = new Uint32Array(N);
  #pos = N;

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
  }

  nextUint32(): number {
    if (this.#pos === N) this.#twist();
    let y = this.#key[this.#pos++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  /** 53 bits from two words: the upper 27 of the first, the upper 26 of the second. */
  nextDouble(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  getState(): { bitGenerator: "MT19937"; key: number[]; pos: number } {
    return { bitGenerator: "MT19937", key: Array.from(this.#key), pos: this.#pos };
  }

  setState(state: Record<string, unknown>): void {
    const { bitGenerator, key, pos } = state;
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
    this.#pos = Number(pos);
  }

  /** The next 624 words: each from its successor and from the word 397 places on, in a circle. */
  #twist(): void {
    const key = this.#key;
    let i = 0;
    for (; i < N - M; i++) key[i] = key[i + M] ^ twisted(key[i], key[i + 1]);
    for (; i < N - 1; i++) key[i] = key[i + M - N] ^ twisted(key[i], key[i + 1]);
    key[i] = key[M - 1] ^ twisted(key[i], key[0]);
    this.#pos = 0;
  }
}

function twisted(upper: number, lower: number): number {
  const y = (upper & 0x80000000) | (lower & 0x7fffffff);
  return (y >>> 1) ^ (-(y & 1) & 0x9908b0df);
}
