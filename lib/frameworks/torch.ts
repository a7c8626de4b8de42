/**
 * Dropout as PyTorch's functional form takes it.
 * @module
 */

import { checkFlag, checkOptions, checkProbability } from "../check.ts";
import { inverted } from "../dropout/inverted.ts";
import type { RandomStream } from "../random/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** Arguments of `torchDropout`. */
export interface TorchDropoutOptions {
  /** Probability of an element to be zeroed, in [0, 1]. Default 0.5. */
  p?: number;
  /** Default **true**, whatever mode the model around it is in. */
  training?: boolean;
  /** The stream that the mask is drawn from; `new TorchGenerator(seed)` draws PyTorch's. */
  rng?: RandomStream;
}

/**
 * `torch.nn.functional.dropout(input, p=0.5, training=True)`.
 *
 * A function knows nothing of `model.eval()`: inside a `forward` it must be called with `training=self.training`, or it
 * drops in evaluation too. PyTorch returns no mask.
 *
 * Differs from PyTorch where an element is dropped: PyTorch multiplies by 0, so that NaN and infinity become NaN and
 * negative numbers −0; here they become +0. In float32 PyTorch's scale is 1/fl(1 − p), which may differ by a rounding.
 *
 * Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
 *
 * @returns Zeros and x/(1 − p) while training; `x` itself otherwise. `p = 1` gives zeros.
 * @throws {RangeError} if `p` is NaN or outside [0, 1], also with `training: false`.
 * @throws {TypeError} if `p` is not a number, `training` not a boolean, or the stream is missing while training.
 */
export function torchDropout(x: Tensor, options: TorchDropoutOptions = {}): Tensor {
  checkOptions("torchDropout", options, ["p", "training", "rng"]);
  const { p = 0.5, training = true, rng } = options;
  checkProbability("F.dropout's p", p, "[0, 1]");
  checkFlag("F.dropout's training", training);
  return inverted("torchDropout", x, p, { training, rng }).output;
}
