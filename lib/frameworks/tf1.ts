/**
 * Dropout as TensorFlow 1 took it: by the probability of *keeping*.
 * @module
 */

import { checkOptions, checkProbability } from "../check.ts";
import { applyMask } from "../dropout/mod.ts";
import type { NoiseShape } from "../dropout/noise_shape.ts";
import { Mask } from "../mask.ts";
import type { RandomStream } from "../random/mod.ts";
import { checkStream } from "../random/stream.ts";
import { divide, type Tensor } from "../tensor/mod.ts";
import { checkTensor, sizeOf } from "../tensor/tensor.ts";
import { sharedShape } from "./noise_shape.ts";

/** Arguments of `tf1Dropout`. */
export interface Tf1DropoutOptions {
  /** Probability that an element is **kept**, in (0, 1]. Required. */
  keepProb: number;
  /** The stream that the mask is drawn from. Not needed at `keepProb = 1`. */
  rng?: RandomStream;
  /** `noise_shape`: 1 where elements share a decision, `null`, with as many axes as the input, where it follows. */
  noiseShape?: NoiseShape;
}

/**
 * `tf.nn.dropout(x, keep_prob, noise_shape=None)` of TensorFlow 1, today's `tf.compat.v1.nn.dropout`, which TensorFlow 1.13 deprecated in favour of `rate = 1 - keep_prob`.
 *
 * The trap: `tf.nn.dropout(x, 0.2)` drops 80 % in TensorFlow 1 and 20 % in TensorFlow 2, where the second argument is
 * the rate. There is no switch for evaluation: one feeds `keep_prob = 1`.
 *
 * Source: https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/nn/dropout
 *
 * @returns Zeros and x/keepProb; `x` itself at `keepProb = 1`. No mask.
 * @throws {RangeError} if `keepProb` is NaN or outside (0, 1].
 * @throws {TypeError} if `keepProb` is not a number, the stream is missing when it is needed, or the noise shape does
 *   not broadcast to the input.
 */
export function tf1Dropout(x: Tensor, options: Tf1DropoutOptions): Tensor {
  checkTensor("tf1Dropout", x);
  checkOptions("tf1Dropout", options, ["keepProb", "rng", "noiseShape"]);
  const { keepProb, rng, noiseShape } = options;
  checkProbability("TensorFlow 1's keep_prob, the probability of keeping,", keepProb, "(0, 1]");
  const drawn = sharedShape("tf1Dropout", noiseShape, x.shape);
  if (keepProb === 1) return x;
  checkStream("tf1Dropout", rng);
  const mask = new Mask(rng.bernoulliBits(keepProb, sizeOf(drawn)), drawn); // 1 − (1 − keepProb) would be another number
  return divide(applyMask(x, mask), keepProb);
}
