/**
 * Standard dropout, as first proposed: mask only while training, multiply by 1 − p at inference.
 * @module
 */

import { checkDropProbability, type Mask } from "../mask.ts";
import type { OutOptions, Tensor } from "../tensor/mod.ts";
import { applyMask, applyScale, drawAndApply, passThrough } from "./apply.ts";
import {
  checkTensor,
  DropoutLayer,
  type DropoutLayerOptions,
  type DropoutOptions,
  type DropoutResult,
} from "./layer.ts";

/**
 * Zeroes each element with probability `p` while training; at inference multiplies each by 1 − p, which is the
 * expectation of what training gave.
 *
 * @param x Any shape: the activations that enter the next layer's product, without its bias.
 * @param p Drop probability, in [0, 1].
 * @param options.rng Advanced by one draw per element. Required while training, unless p is 0.
 * @param options.training False: the output is (1 − p)·x and the mask is `null`. Default true.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * Source: Hinton et al. 2012; Srivastava et al. 2014, §4.
 */
export function standardDropout(x: Tensor, p: number, options: DropoutOptions = {}): DropoutResult {
  checkTensor(x);
  checkDropProbability(p);
  const { training = true, out } = options;
  if (!training) return { output: applyScale(x, 1 - p, { out }), mask: null };
  if (p === 0) return { output: passThrough(x, { out }), mask: null };
  return drawAndApply(x, p, 1, options);
}

/**
 * The gradient of standard dropout in training: it passes where the mask kept, unscaled.
 *
 * @param gradOutput Gradient with respect to the output.
 * @param mask The mask of the forward pass, or `null` if it had none (p = 0).
 * @throws {TypeError} if the shapes of gradient and mask differ.
 */
export function standardDropoutBackward(gradOutput: Tensor, mask: Mask | null, out: OutOptions = {}): Tensor {
  return mask === null ? passThrough(gradOutput, out) : applyMask(gradOutput, mask, 1, out);
}

/**
 * The weights that inference needs after training with standard dropout: (1 − p)·W. The bias stays as it is.
 *
 * @param weight The trained weights that multiply the dropped-out activations. Not changed.
 * @param p Drop probability of those activations, in [0, 1].
 */
export function inferenceWeight(weight: Tensor, p: number, out: OutOptions = {}): Tensor {
  checkDropProbability(p);
  return applyScale(weight, 1 - p, out);
}

/** Standard dropout as a layer with its own random stream. */
export class StandardDropout extends DropoutLayer<Mask | number> {
  /**
   * A layer in training mode.
   *
   * @param p Drop probability, in [0, 1]. Default 0.5.
   * @param options.seed Seed of the stream; by default fresh entropy.
   * @param options.stream `"numpy"` (default) draws as NumPy's `default_rng`, `"fast"` from a FastStream.
   * @throws {RangeError} if `p` is NaN or outside [0, 1], or the seed is negative or fractional.
   */
  constructor(p = 0.5, options: DropoutLayerOptions = {}) {
    super(p, options);
  }

  /** Masks in training mode; multiplies by 1 − p in evaluation mode. */
  override forward(x: Tensor, out: OutOptions = {}): Tensor {
    const { output, mask } = standardDropout(x, this.p, { ...out, rng: this.rng, training: this.training });
    this.remember(x.shape, mask ?? (this.training ? 1 : 1 - this.p));
    return output;
  }

  /**
   * The gradient that belongs to the last forward pass: through its mask, or times 1 − p after evaluation.
   *
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor, out: OutOptions = {}): Tensor {
    const kept = this.recall(gradOutput);
    return typeof kept === "number"
      ? applyScale(gradOutput, kept, out)
      : standardDropoutBackward(gradOutput, kept, out);
  }
}
