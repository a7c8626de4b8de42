/**
 * Dropout as Keras's layer takes it.
 * @module
 */

import { checkFlag, checkOptions, checkProbability } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import type { RandomStream } from "../random/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** Arguments of `kerasDropout`. */
export interface KerasDropoutOptions {
  /** Fraction of the inputs to drop, in [0, 1], and below 1 while training. Required. */
  rate: number;
  /** Default **false**, as in the layer's `call`; `model.fit` passes true. */
  training?: boolean;
  /** The stream that the mask is drawn from. */
  rng?: RandomStream;
}

/**
 * `keras.layers.Dropout(rate)(inputs, training=False)`, as Keras 3 does it on TensorFlow.
 *
 * Keras accepts `rate = 1` when the layer is made. What follows in training depends on the backend: TensorFlow refuses,
 * JAX and PyTorch give zeros; this function refuses.
 *
 * Source: https://keras.io/api/layers/regularization_layers/dropout, and
 * https://www.tensorflow.org/api_docs/python/tf/nn/experimental/stateless_dropout for the range.
 *
 * @returns Zeros and x/(1 − rate) while training; `x` itself otherwise. No mask.
 * @throws {RangeError} if `rate` is NaN or outside [0, 1], or is 1 while training.
 * @throws {TypeError} if `rate` is not a number, `training` not a boolean, or the stream is missing while training.
 */
export function kerasDropout(x: Tensor, options: KerasDropoutOptions): Tensor {
  checkOptions("kerasDropout", options, ["rate", "training", "rng"]);
  const { rate, training = false, rng } = options;
  checkFlag("Keras's training", training);
  if (training) checkProbability("Keras's rate, while training on TensorFlow,", rate, "[0, 1)");
  checkProbability("Keras's rate", rate, "[0, 1]");
  return inverted("kerasDropout", x, rate, { training, rng }).output;
}
