/**
 * Dropout as Flax's layer takes it.
 * @module
 */

import { checkFlag, checkInteger, checkOptions, checkProbability, describe, formatShape } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import type { NoiseShape } from "../dropout/noise_shape.ts";
import type { RandomStream } from "../random/mod.ts";
import { type Shape, type Tensor, zeros } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";

/** Arguments of `flaxDropout`. */
export interface FlaxDropoutOptions {
  /** The dropout probability, in [0, 1]. Required. */
  rate: number;
  /** True in evaluation. Required: `flax.linen` has no default for it. */
  deterministic: boolean;
  /** The stream that the mask is drawn from; Flax asks for a key named "dropout". */
  rng?: RandomStream;
  /** `broadcast_dims`: axes along which elements share a decision; negative ones count from the end. Default none. */
  broadcastDims?: readonly number[];
}

/**
 * `flax.linen.Dropout(rate, broadcast_dims=(), deterministic=…)(inputs)`.
 *
 * The switch points the other way: `deterministic = not train`. Rates 0 and 1 are special cases that draw nothing.
 * Flax checks no range, so that a rate of −0.1 silently divides all by 1.1; this function refuses it.
 *
 * Source: https://flax.readthedocs.io/en/v0.8.0/_modules/flax/linen/stochastic.html
 *
 * @returns Zeros and x/(1 − rate), or `x` itself if `deterministic` or `rate` is 0. No mask.
 * @throws {RangeError} if `rate` is NaN or outside [0, 1], or the input has not one of the axes.
 * @throws {TypeError} if `rate` is not a number, `deterministic` is missing, or so is the stream when it is needed.
 */
export function flaxDropout(x: Tensor, options: FlaxDropoutOptions): Tensor {
  checkOptions("flaxDropout", options, ["rate", "deterministic", "rng", "broadcastDims"]);
  const { rate, deterministic, rng, broadcastDims } = options;
  checkTensor("flaxDropout", x);
  checkProbability("Flax's rate", rate, "[0, 1]");
  checkFlag("Flax's deterministic", deterministic);
  const noiseShape = broadcastDims && sharedAlong(broadcastDims, x.shape);
  if (rate === 1 && !deterministic) return zeros(x.shape, x.dtype);
  return inverted("flaxDropout", x, rate, { training: !deterministic, rng, noiseShape }).output;
}

/** The noise shape that shares decisions along these axes. */
function sharedAlong(axes: readonly number[], shape: Shape): NoiseShape {
  if (!Array.isArray(axes)) {
    throw new TypeError(`Flax's broadcastDims must be an array of axes such as [1], got ${describe(axes)}`);
  }
  const noiseShape: (number | null)[] = shape.map(() => null);
  for (const axis of axes) {
    const { length } = shape;
    checkInteger(
      `Each of Flax's broadcastDims, for the shape ${formatShape(shape)},`,
      axis,
      -length,
      length - 1,
    );
    noiseShape[axis < 0 ? axis + length : axis] = 1;
  }
  return noiseShape;
}
