/**
 * Masks that are a function of seed, layer, step and position, and of nothing else.
 *
 * A stream with a state gives an element the next number, so that a mask depends on everything drawn before it. Here
 * each element has its own number: a batch may be split, shuffled, computed twice or on several machines.
 *
 * @example
 * ```ts
 * import { KeyedStream } from "./keyed_stream.ts";
 *
 * const whole = new KeyedStream({ seed: 42, layer: 0, step: 7 });
 * console.log(whole.bernoulliBits(0.5, 16)); // elements 0 to 15
 * console.log(whole.at({ offset: 8 }).bernoulliBits(0.5, 8)); // elements 8 to 15: the second byte of the same
 * ```
 * @module
 */

import { checkInteger, checkOptions, checkProbability, describe } from "../check.ts";
import { philoxBits } from "../simd/random.ts";
import type { FloatArray } from "../tensor/mod.ts";
import { philox4x32 } from "./philox.ts";
import { bitsFor, checkBits, checkRoom, type RandomStream } from "./stream.ts";

const TWO_32 = 0x100000000;

/** Where a stream stands among all numbers of its seed. */
export interface KeyedPlace {
  /** Which layer, or which tensor: an integer in [0, 2³²). */
  layer: number;
  /** Which step of the training: an integer in [0, 2³²). */
  step: number;
  /** Position of the first element, in row-major order of the whole batch: an integer in [0, 2⁵³). Default 0. */
  offset?: number;
}

/** A seed and a place. */
export interface KeyedStreamOptions extends KeyedPlace {
  /** An integer in [0, 2⁵³), or a bigint in [0, 2⁶⁴). */
  seed: number | bigint;
}

/** A saved KeyedStream: plain data that JSON keeps exactly. */
export interface KeyedStreamState extends Required<KeyedPlace> {
  /** Always "Philox4x32-10". */
  bitGenerator: "Philox4x32-10";
  /** The seed, in decimal. */
  seed: string;
}

/**
 * Uniform numbers by position: element i of (seed, layer, step) has always the same.
 *
 * Nothing advances: the same call gives the same bits again, so that **each mask needs a step or a layer of its own**.
 *
 * One block of Philox4x32-10 gives four elements: its key is the seed, its counter (⌊i/4⌋ as two words, step, layer).
 *
 * @example
 * ```ts
 * import { drawMask, KeyedStream } from "../mod.ts";
 *
 * const rng = new KeyedStream({ seed: 42, layer: 0, step: 7 });
 * console.log(drawMask([8], 0.5, { rng }).toTensor().toArray());
 * console.log(drawMask([4], 0.5, { rng: rng.at({ offset: 4 }) }).toTensor().toArray()); // the second half of it
 * ```
 */
export class KeyedStream implements RandomStream {
  #place: Required<KeyedStreamOptions>;
  #key: readonly [number, number];
  readonly #block = new Uint32Array(4);

  /**
   * Checks the key.
   *
   * @throws {RangeError} if a number is negative, fractional or too large.
   * @throws {TypeError} if one is missing or not a number.
   */
  constructor(options: KeyedStreamOptions) {
    checkOptions("KeyedStream", options, ["seed", "layer", "step", "offset"]);
    this.#place = checkPlace(options);
    this.#key = seedWords(options.seed);
  }

  /** The seed. */
  get seed(): number | bigint {
    return this.#place.seed;
  }

  /** Which layer. */
  get layer(): number {
    return this.#place.layer;
  }

  /** Which step. */
  get step(): number {
    return this.#place.step;
  }

  /** Position of the first element. */
  get offset(): number {
    return this.#place.offset;
  }

  /** A stream with the same seed at another place; what is not given stays as it is. */
  at(place: Partial<KeyedPlace>): KeyedStream {
    checkOptions("KeyedStream.at", place, ["layer", "step", "offset"]);
    return new KeyedStream({ ...this.#place, ...place });
  }

  /**
   * The number that belongs to the element `i` places after the offset: a multiple of 2⁻³² in [0, 1).
   *
   * @throws {RangeError} if the element's position is not an integer in [0, 2⁵³).
   */
  uniform(i: number): number {
    const position = this.offset + i;
    checkInteger("The position of a KeyedStream", position);
    return this.#words(position)[position & 3] / TWO_32;
  }

  /**
   * A one for each of the `n` elements from the offset on whose number lies below `q`.
   *
   * Since the numbers are multiples of 2⁻³², the probability of a one is `q` rounded up to such a multiple: exactly 0
   * and 1 at the ends, and too large by less than 2.4·10⁻¹⁰ between.
   *
   * @throws {RangeError} if `q` is NaN or outside [0, 1], or the last position is not below 2⁵³.
   * @throws {TypeError} if `out` does not have ⌈n/8⌉ bytes.
   */
  bernoulliBits(q: number, n: number, out: Uint8Array = bitsFor(n)): Uint8Array {
    checkProbability("The probability of a one", q);
    const end = this.offset + n;
    checkInteger("The end of the mask of a KeyedStream", end);
    checkBits(out, n);
    const threshold = q * TWO_32;
    out.fill(0);
    if (q === 0 || philoxBits(this.#key, this, out, n, Math.ceil(threshold) - 1)) return out;
    let words = this.#words(this.offset);
    for (let position = this.offset; position < end; position++) {
      const lane = position & 3; // right beyond 2³², too: & takes the lowest bits
      if (lane === 0) words = this.#words(position);
      const i = position - this.offset;
      out[i >>> 3] |= Number(words[lane] < threshold) << (i & 7);
    }
    return out;
  }

  /** The numbers of the elements from the offset on; in float32 the upper 24 bits of each. */
  fillUniform(out: FloatArray): void {
    checkRoom("fillUniform", out);
    const single = out instanceof Float32Array;
    for (let i = 0; i < out.length; i++) {
      const u = this.uniform(i);
      out[i] = single ? Math.floor(u * 0x1000000) / 0x1000000 : u;
    }
  }

  /** Where it stands, which is all that its numbers depend on. */
  getState(): KeyedStreamState {
    const { seed, ...place } = this.#place;
    return { bitGenerator: "Philox4x32-10", seed: String(seed), ...place };
  }

  /**
   * Goes to a saved place.
   *
   * @throws {TypeError | RangeError} if it is not a state of a KeyedStream; nothing is changed then.
   */
  setState(state: KeyedStreamState): void {
    const { bitGenerator, seed, layer, step, offset } = state ?? {};
    if (
      bitGenerator !== "Philox4x32-10" || typeof seed !== "string" || !/^\d+$/.test(seed) ||
      offset === undefined
    ) {
      throw new TypeError(
        'Not a saved state of a KeyedStream: it needs bitGenerator "Philox4x32-10", seed as a string of digits, ' +
          "layer, step and offset",
      );
    }
    const key = seedWords(BigInt(seed));
    this.#place = checkPlace({
      seed: Number.isSafeInteger(Number(seed)) ? Number(seed) : BigInt(seed),
      layer,
      step,
      offset,
    });
    this.#key = key;
  }

  /** The numbers of the four elements around a position, times 2³². */
  #words(position: number): Uint32Array {
    const block = Math.floor(position / 4);
    return philox4x32(
      [block >>> 0, Math.floor(block / TWO_32), this.step, this.layer],
      this.#key,
      this.#block,
    );
  }
}

/** The place in full. Throws as `new KeyedStream` does. */
function checkPlace({ seed, layer, step, offset = 0 }: KeyedStreamOptions): Required<KeyedStreamOptions> {
  checkInteger("The layer of a KeyedStream", layer, 0, TWO_32 - 1);
  checkInteger("The step of a KeyedStream", step, 0, TWO_32 - 1);
  checkInteger("The offset of a KeyedStream", offset);
  return { seed, layer, step, offset };
}

/** The lower and the upper half of a seed. */
function seedWords(seed: unknown): [number, number] {
  const message = "The seed of a KeyedStream must be an integer in [0, 2⁵³) or a bigint in [0, 2⁶⁴), got";
  if (typeof seed !== "number" && typeof seed !== "bigint") {
    throw new TypeError(`${message} ${describe(seed)}`);
  }
  if (typeof seed === "number" ? !Number.isSafeInteger(seed) || seed < 0 : seed < 0n || seed >> 64n !== 0n) {
    throw new RangeError(`${message} ${seed}${typeof seed === "bigint" ? "n" : ""}`);
  }
  return [Number(BigInt(seed) & 0xffffffffn), Number(BigInt(seed) >> 32n)];
}
