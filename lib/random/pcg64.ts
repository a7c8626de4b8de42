/**
 * PCG64 (XSL-RR 128/64), the bit generator behind NumPy's `default_rng`.
 *
 * Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms" (2014).
 * @module
 */

import * as simd from "../simd/random.ts";
import { SeedSequence } from "./seed_sequence.ts";
import type { BitGenerator } from "./stream.ts";

const MASK_128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645n;

/** The multiplier in digits of 16 bits: times a word of 32 bits they stay exact in a double. */
const [M0, M1, M2, M3, M4, M5, M6, M7] = Array.from(
  { length: 8 },
  (_, i) => Number((MULTIPLIER >> BigInt(16 * i)) & 0xffffn),
);

/** A linear congruential generator of 128 bits whose output is folded to 64 and rotated. */
export class PCG64 implements BitGenerator {
  readonly name = "PCG64";
  /** Where the seed came from; children are spawned from it. */
  readonly seedSequence: SeedSequence;
  /** State and increment, in words of 32 bits, lowest first. */
  readonly #state = new Uint32Array(4);
  readonly #increment = new Uint32Array(4);
  /** The last 64 bits of output. */
  #high = 0;
  #low = 0;
  /** NumPy hands out the two halves of 64 bits one after the other: the upper half waits here. */
  #waiting: number | undefined;

  /**
   * Seeds the generator.
   *
   * @param seedSequence Gives 256 bits: 128 for the state, 128 for the choice of stream.
   */
  constructor(seedSequence: SeedSequence) {
    this.seedSequence = seedSequence;
    const words = seedSequence.generateState(8);
    const uint64 = (i: number) => (BigInt(words[2 * i + 1]) << 32n) | BigInt(words[2 * i]);
    const start = (uint64(0) << 64n) | uint64(1);
    const stream = (uint64(2) << 64n) | uint64(3);
    const increment = ((stream << 1n) | 1n) & MASK_128;
    // As `pcg_setseq_128_srandom` does: a step from 0, add the start, another step.
    toWords(increment, this.#increment);
    toWords(((increment + start) * MULTIPLIER + increment) & MASK_128, this.#state);
  }

  /** 64 random bits. */
  nextUint64(): bigint {
    this.#step();
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  /** The lower half of a fresh output, then its upper half. */
  nextUint32(): number {
    if (this.#waiting !== undefined) {
      const word = this.#waiting;
      this.#waiting = undefined;
      return word;
    }
    this.#step();
    this.#waiting = this.#high;
    return this.#low;
  }

  /** The upper 53 of 64 bits. */
  nextDouble(): number {
    this.#step();
    return toDouble(this.#high, this.#low);
  }

  /** Fills an array with doubles, as one `nextDouble` after the other would; see `BitGenerator`. */
  fillDoubles(out: Float64Array): boolean {
    return simd.pcg64Doubles(this.#state, this.#increment, out);
  }

  /**
   * Fills an array with the words of the next outputs, the lower one of each first.
   *
   * @param out Of even length.
   * @returns False, having done nothing, where that would save no time.
   */
  fillWords(out: Uint32Array): boolean {
    return simd.pcg64Words(this.#state, this.#increment, out);
  }

  /** Draws `n` doubles and keeps a bit of each; see `BitGenerator`. */
  fillBits(n: number, limit: number, inverted: boolean, out: Uint8Array): boolean {
    return simd.pcg64Bits(this.#state, this.#increment, out, n, { limit, inverted });
  }

  /** The words of the next output, for algorithms that take it apart. */
  nextWords(): { high: number; low: number } {
    this.#step();
    return { high: this.#high, low: this.#low };
  }

  getState(): { bitGenerator: "PCG64"; state: string; inc: string; uinteger: number | null } {
    return {
      bitGenerator: "PCG64",
      state: String(fromWords(this.#state)),
      inc: String(fromWords(this.#increment)),
      uinteger: this.#waiting ?? null,
    };
  }

  setState(state: Record<string, unknown>): void {
    const { bitGenerator, state: position, inc, uinteger } = state ?? {};
    const is128 = (text: unknown) =>
      typeof text === "string" && /^\d+$/.test(text) && BigInt(text) <= MASK_128;
    const word = uinteger === null || (typeof uinteger === "number" && uinteger >>> 0 === uinteger);
    if (
      bitGenerator !== this.name || !is128(position) || !is128(inc) || BigInt(inc as string) % 2n === 0n ||
      !word
    ) {
      throw new TypeError(
        'Not a saved state of PCG64: it needs bitGenerator "PCG64", state and inc (odd) as strings of 128-bit ' +
          "integers, and uinteger, a word of 32 bits or null",
      );
    }
    toWords(BigInt(position as string), this.#state);
    toWords(BigInt(inc as string), this.#increment);
    this.#waiting = (uinteger as number | null) ?? undefined;
  }

  /**
   * state ← state · MULTIPLIER + increment (mod 2¹²⁸), then output.
   *
   * The product is summed by place: `e` at 2³²ⁿ, `o` at 2³²ⁿ⁺¹⁶. No sum exceeds 2⁵¹, so every double is exact.
   */
  #step(): void {
    const state = this.#state;
    const increment = this.#increment;
    const s0 = state[0], s1 = state[1], s2 = state[2], s3 = state[3];

    let o = s0 * M1;
    let sum = s0 * M0 + (o & 0xffff) * 0x10000 + increment[0];
    const t0 = sum >>> 0;
    let carry = (sum - t0) / 0x100000000 + (o - (o & 0xffff)) / 0x10000;

    o = s0 * M3 + s1 * M1;
    sum = s0 * M2 + s1 * M0 + (o & 0xffff) * 0x10000 + increment[1] + carry;
    const t1 = sum >>> 0;
    carry = (sum - t1) / 0x100000000 + (o - (o & 0xffff)) / 0x10000;

    o = s0 * M5 + s1 * M3 + s2 * M1;
    sum = s0 * M4 + s1 * M2 + s2 * M0 + (o & 0xffff) * 0x10000 + increment[2] + carry;
    const t2 = sum >>> 0;
    carry = (sum - t2) / 0x100000000 + (o - (o & 0xffff)) / 0x10000;

    o = s0 * M7 + s1 * M5 + s2 * M3 + s3 * M1;
    sum = s0 * M6 + s1 * M4 + s2 * M2 + s3 * M0 + (o & 0xffff) * 0x10000 + increment[3] + carry;
    const t3 = sum >>> 0;

    state[0] = t0;
    state[1] = t1;
    state[2] = t2;
    state[3] = t3;
    this.#output(t3 ^ t1, t2 ^ t0, t3 >>> 26);
  }

  /** Rotates 64 bits to the right, by 32 first if need be. */
  #output(high: number, low: number, rotation: number): void {
    const upper = rotation & 32 ? low : high;
    const lower = rotation & 32 ? high : low;
    const right = rotation & 31;
    const left = 31 - right; // shifted in two steps, since a shift by 32 does nothing
    this.#high = ((upper >>> right) | (lower << left << 1)) >>> 0;
    this.#low = ((lower >>> right) | (upper << left << 1)) >>> 0;
  }
}

/** The upper 53 of 64 bits, as a number in [0, 1). */
export function toDouble(high: number, low: number): number {
  return (high * 0x200000 + (low >>> 11)) / 0x20000000000000;
}

function toWords(integer: bigint, words: Uint32Array): void {
  for (let i = 0; i < 4; i++) words[i] = Number((integer >> BigInt(32 * i)) & 0xffffffffn);
}

function fromWords(words: Uint32Array): bigint {
  return words.reduceRight((all, word) => (all << 32n) | BigInt(word), 0n);
}
