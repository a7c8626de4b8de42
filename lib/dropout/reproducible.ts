/**
 * Inverted dropout whose masks can be repeated: all of them from the start, or that of one iteration alone.
 * @module
 */

import { checkInteger, checkOptions, describe } from "../check.ts";
import { defaultRng, type RandomStream, type Seed } from "../random/mod.ts";
import { toSeedInteger } from "../random/seed.ts";
import type { Tensor } from "../tensor/mod.ts";
import { InvertedDropout } from "./inverted.ts";
import type { DropoutForwardOptions } from "./layer.ts";
import type { NoiseShape } from "./noise_shape.ts";

/** Options of `ReproducibleDropout`. */
export interface ReproducibleDropoutOptions {
  /** Seed of NumPy's `default_rng`, and part of each iteration's seed; by default fresh entropy. */
  seed?: number | bigint;
  /** The shape in which decisions are drawn: 1 where elements share one, `null` where it follows the input's. */
  noiseShape?: NoiseShape | undefined;
}

/** Options of one forward pass. */
export interface ReproducibleForwardOptions extends DropoutForwardOptions {
  /** A non-negative integer. With it, the mask depends on the seed, the iteration, `p` and its shape, nothing else. */
  iteration?: number;
}

/**
 * The seed of one iteration's mask: the first 32 bits of the MD5 digest of `seed_iteration`.
 *
 * Only 2³² seeds are left, so that iterations collide: among about 82,000 of them (√(π/2 · 2³²)) the first two with
 * the same seed are expected. `defaultRng([seed, layer, iteration])` would have none of that.
 *
 * @example
 * ```ts
 * import { iterationSeed } from "./reproducible.ts";
 *
 * console.log(iterationSeed(42, 100)); // 1750725574
 * ```
 *
 * @param seed A non-negative integer.
 * @param iteration A non-negative integer below 2⁵³.
 * @returns An integer in [0, 2³²).
 * @throws {RangeError} if one of them is negative, fractional or inexact.
 * @throws {TypeError} if one of them is not a number: the article would make a seed of "None_100".
 */
export function iterationSeed(seed: number | bigint, iteration: number): number {
  if (typeof seed !== "number" && typeof seed !== "bigint") {
    throw new TypeError(
      `Dropout by iteration needs a seed: one non-negative integer such as 42, got ${describe(seed)}`,
    );
  }
  const base = toSeedInteger(seed);
  checkInteger("The iteration", iteration);
  const digest = md5().update(`${base}_${iteration}`).digest("hex");
  return parseInt(digest.slice(0, 8), 16);
}

/** A reproducible layer can be called with an iteration. */
export interface ReproducibleDropout {
  /** The forward pass. */
  (x: Tensor, options?: ReproducibleForwardOptions): Tensor;
}

/**
 * Inverted dropout with the article's three ways to repeat an output: evaluation, `reset()`, and a seed per iteration.
 *
 * Its streams are NumPy's, as the article's are: `default_rng(seed)`, and one of an iteration's own.
 *
 * Two weaknesses of its seeds, kept because the article's numbers depend on them:
 *
 * - They have 32 bits, so that different iterations collide: with seed 42, iterations 14326 and 105366 get the same
 *   mask.
 * - They know nothing of the layer: layers that share a seed share their masks, in every iteration and in every pass.
 *
 * @example
 * ```ts
 * import { ones, ReproducibleDropout } from "../mod.ts";
 *
 * const dropout = new ReproducibleDropout(0.5, { seed: 42 });
 * const first = dropout(ones([4, 8]), { iteration: 100 });
 * dropout(ones([4, 8]), { iteration: 200 });
 * const again = dropout(ones([4, 8]), { iteration: 100 });
 * console.log(first.toString() === again.toString()); // true
 * ```
 */
export class ReproducibleDropout extends InvertedDropout {
  /** The seed that `reset()` goes back to and that iterations are derived from: the one that was given last. */
  baseSeed: number | bigint | undefined;
  /** How many masks were drawn from the stream since it was started: forward passes in training without iteration. */
  callCount = 0;

  /**
   * A layer in training mode.
   *
   * @param p Drop probability, in [0, 1). Default 0.5.
   * @param options.seed A non-negative integer; by default fresh entropy, and then no iteration can be asked for.
   * @param options.noiseShape The shape in which decisions are drawn; by default that of the input.
   * @throws {RangeError} if `p` is NaN or outside [0, 1), or the seed is negative or fractional.
   * @throws {TypeError} if `p` or the seed is not a number.
   */
  constructor(p = 0.5, options: ReproducibleDropoutOptions = {}) {
    checkOptions("ReproducibleDropout", options, ["seed", "noiseShape"]);
    super(p, options);
    this.baseSeed = options.seed;
  }

  /**
   * Starts the random stream and the count again.
   *
   * @param seed From now on the base seed; by default it stays as it is.
   * @throws {RangeError} if the seed is negative or fractional; nothing is changed then.
   */
  reset(seed: number | bigint | undefined = this.baseSeed): void {
    this.resetRng(seed);
    this.baseSeed = seed;
  }

  /**
   * Starts the random stream and the count again, and leaves the base seed as it is.
   *
   * @param seed By default the seed that the layer was made with.
   */
  override resetRng(seed?: Seed): void {
    super.resetRng(seed);
    this.callCount = 0;
  }

  /** NumPy's `default_rng(seed)`. */
  protected override freshStream(seed?: Seed): RandomStream {
    return defaultRng(seed);
  }

  /**
   * Drops and scales in training mode; returns `x` itself in evaluation mode.
   *
   * @param x Any shape. Not changed, unless it is also given as `out`.
   * @param options.iteration With it, the mask is drawn from a stream of its own, and the layer's stream stays where
   *   it is.
   * @throws {RangeError} if the iteration is negative or fractional.
   * @throws {TypeError} if an iteration is given, but the layer has no seed.
   */
  override forward(x: Tensor, options: ReproducibleForwardOptions = {}): Tensor {
    checkOptions("ReproducibleDropout", options, ["iteration", "mask", "out", "maskOut"]);
    const { iteration, ...rest } = options;
    // Checked in evaluation too: there the mistake would hide until training.
    const rng = iteration === undefined ? this.rng : defaultRng(iterationSeed(this.baseSeed!, iteration));
    const output = this.draw(x, rest, rng);
    if (this.training && iteration === undefined && options.mask === undefined) this.callCount++;
    return output;
  }
}

/** Loaded when it is first needed: the module would make up half of the library's start-up time. */
function md5(): ReturnType<typeof import("node:crypto").createHash> {
  return process.getBuiltinModule("node:crypto").createHash("md5");
}
