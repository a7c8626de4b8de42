/**
 * Dropout as Flax's layer takes it.
 * @module
 */

import { type DropoutOptions, invertedDropout } from "../dropout/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { checkFlag, checkFraction } from "./check.ts";

/** Arguments of `flaxDropout`. */
export interface FlaxDropoutOptions {
  /** The dropout probability, in [0, 1]. Required. */
  rate: number;
  /** True in evaluation. Required: `flax.linen` has no default for it. */
  deterministic: boolean;
  /** The stream that the mask is drawn from; Flax asks for a key named "dropout". */
  rng?: NonNullable<DropoutOptions["rng"]>;
}

/**
 * `flax.linen.Dropout(rate, deterministic=…)(inputs)`.
 *
 * The switch points the other way: `deterministic = not train`. Rates 0 and 1 are special cases that draw nothing.
 * Flax checks no range, so that a rate of −0.1 silently divides all by 1.1; this function refuses it.
 *
 * @returns Zeros and x/(1 − rate), or `x` itself if `deterministic` or `rate` is 0. No mask.
 * @throws {RangeError} if `rate` is NaN or outside [0, 1].
 * @throws {TypeError} if `rate` is not a number, `deterministic` is missing, or so is the stream when it is needed.
 * Source: https://flax.readthedocs.io/en/v0.8.0/_modules/flax/linen/stochastic.html
 */
export function flaxDropout(x: Tensor, options: FlaxDropoutOptions): Tensor {
  const { rate, deterministic, ...stream } = options;
  checkFraction("Flax's rate", rate, "[0, 1]");
  checkFlag("Flax's deterministic", deterministic);
  if (rate === 1 && !deterministic) return x.map(() => 0);
  return invertedDropout(x, rate, { training: !deterministic, ...stream }).output;
}
