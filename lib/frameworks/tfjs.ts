/**
 * Dropout as TensorFlow.js's layer takes it.
 * @module
 */

import { checkFlag, checkOptions, checkProbability } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import type { NoiseShape } from "../dropout/noise_shape.ts";
import type { RandomStream } from "../random/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";
import { sharedShape } from "./noise_shape.ts";

/** Arguments of `tfjsDropout`. */
export interface TfjsDropoutOptions {
  /** Fraction of the inputs to drop, in [0, 1]; **at 1 nothing is dropped**. Required. */
  rate: number;
  /** Default **false**, as in the layer's `call`; `model.fit` passes true. */
  training?: boolean;
  /** The stream that the mask is drawn from; the layer's `seed` would draw the same mask each time. */
  rng?: RandomStream;
  /** 1 where elements share a decision, `null`, with as many axes as the input, where it follows. */
  noiseShape?: NoiseShape;
}

/**
 * `tf.layers.dropout({ rate, noiseShape }).apply(x, { training: false })`, as `@tensorflow/tfjs-layers` 4.22.0 does it.
 *
 * The layer drops only where 0 < rate < 1: asked to drop everything, it returns its input, while `tf.dropout` refuses a
 * rate of 1. It clamps what lies outside [0, 1], and takes NaN for no dropout; this function refuses those. It takes
 * noise shapes with more axes than the input has, and returns a larger tensor then; this function refuses those, too.
 *
 * Differs where an element is dropped: TF.js multiplies by 0, so that NaN and infinity become NaN and negative numbers
 * −0; here they become +0.
 *
 * Source: https://js.tensorflow.org/api/4.22.0/#layers.dropout, and the package, run.
 *
 * @returns Zeros and x/(1 − rate) while training; `x` itself otherwise, and at the rates 0 and 1. No mask.
 * @throws {RangeError} if `rate` is NaN or outside [0, 1].
 * @throws {TypeError} if `rate` is not a number, `training` not a boolean, the stream is missing when it is needed, or
 *   the noise shape does not broadcast to the input.
 */
export function tfjsDropout(x: Tensor, options: TfjsDropoutOptions): Tensor {
  checkTensor("tfjsDropout", x);
  checkOptions("tfjsDropout", options, ["rate", "training", "rng", "noiseShape"]);
  const { rate, training = false, rng, noiseShape } = options;
  checkProbability("TF.js's rate", rate, "[0, 1]");
  checkFlag("TF.js's training", training);
  sharedShape("tfjsDropout", noiseShape, x.shape);
  return inverted("tfjsDropout", x, rate === 1 ? 0 : rate, { training, rng, noiseShape }).output;
}
