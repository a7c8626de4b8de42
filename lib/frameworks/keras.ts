/**
 * Dropout as Keras's layer takes it.
 * @module
 */

import { checkFlag, checkOptions, checkProbability } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import type { NoiseShape } from "../dropout/noise_shape.ts";
import type { RandomStream } from "../random/mod.ts";
import { type Tensor, zeros } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";
import { sharedShape } from "./noise_shape.ts";

/** Arguments of `kerasDropout`. */
export interface KerasDropoutOptions {
  /** Fraction of the inputs to drop, in [0, 1]. Required. */
  rate: number;
  /** Default **false**, as in the layer's `call`; `model.fit` passes true. */
  training?: boolean;
  /** The stream that the mask is drawn from. */
  rng?: RandomStream;
  /** `noise_shape`: 1 where elements share a decision, `null`, with as many axes as the input, where it follows. */
  noiseShape?: NoiseShape;
}

/**
 * `keras.layers.Dropout(rate, noise_shape=None)(inputs, training=False)`, as Keras 3.15.1 does it.
 *
 * Rates 0 and 1 draw nothing. At 1 all backends give zeros; the TensorFlow backend of Keras 3.8.0 still refused.
 *
 * Source: https://keras.io/api/layers/regularization_layers/dropout, and `random.py` of its backends.
 *
 * @returns Zeros and x/(1 − rate) while training; `x` itself otherwise, and at `rate = 0`. No mask.
 * @throws {RangeError} if `rate` is NaN or outside [0, 1], also with `training: false`.
 * @throws {TypeError} if `rate` is not a number, `training` not a boolean, the stream is missing when it is needed, or
 *   the noise shape does not broadcast to the input.
 */
export function kerasDropout(x: Tensor, options: KerasDropoutOptions): Tensor {
  checkTensor("kerasDropout", x);
  checkOptions("kerasDropout", options, ["rate", "training", "rng", "noiseShape"]);
  const { rate, training = false, rng, noiseShape } = options;
  checkProbability("Keras's rate", rate, "[0, 1]");
  checkFlag("Keras's training", training);
  sharedShape("kerasDropout", noiseShape, x.shape);
  if (rate === 1 && training) return zeros(x.shape, x.dtype);
  return inverted("kerasDropout", x, rate, { training, rng, noiseShape }).output;
}
