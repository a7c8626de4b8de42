/**
 * Dropout as Flax's layer takes it.
 * @module
 */

import { checkFlag, checkOptions, checkProbability } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import type { RandomStream } from "../random/mod.ts";
import { type Tensor, zeros } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";

/** Arguments of `flaxDropout`. */
export interface FlaxDropoutOptions {
  /** The dropout probability, in [0, 1]. Required. */
  rate: number;
  /** True in evaluation. Required: `flax.linen` has no default for it. */
  deterministic: boolean;
  /** The stream that the mask is drawn from; Flax asks for a key named "dropout". */
  rng?: RandomStream;
}

/**
 * `flax.linen.Dropout(rate, deterministic=…)(inputs)`.
 *
 * The switch points the other way: `deterministic = not train`. Rates 0 and 1 are special cases that draw nothing.
 * Flax checks no range, so that a rate of −0.1 silently divides all by 1.1; this function refuses it.
 *
 * Source: https://flax.readthedocs.io/en/v0.8.0/_modules/flax/linen/stochastic.html
 *
 * @returns Zeros and x/(1 − rate), or `x` itself if `deterministic` or `rate` is 0. No mask.
 * @throws {RangeError} if `rate` is NaN or outside [0, 1].
 * @throws {TypeError} if `rate` is not a number, `deterministic` is missing, or so is the stream when it is needed.
 */
export function flaxDropout(x: Tensor, options: FlaxDropoutOptions): Tensor {
  checkOptions("flaxDropout", options, ["rate", "deterministic", "rng"]);
  const { rate, deterministic, rng } = options;
  checkTensor("flaxDropout", x);
  checkProbability("Flax's rate", rate, "[0, 1]");
  checkFlag("Flax's deterministic", deterministic);
  if (rate === 1 && !deterministic) return zeros(x.shape, x.dtype);
  return inverted("flaxDropout", x, rate, { training: !deterministic, rng }).output;
}
