/**
 * Standard dropout, as first proposed: mask only while training, multiply by 1 − p at inference.
 * @module
 */

import { checkOptions } from "../check.ts";
import { checkDropProbability } from "../mask.ts";
import type { OutOptions, Tensor } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";
import {
  applyScale,
  dropout,
  dropoutBackward,
  type DropoutOptions,
  type DropoutPass,
  type DropoutResult,
} from "./apply.ts";
import { DropoutLayer, type DropoutLayerOptions } from "./layer.ts";

/**
 * Zeroes each element with probability `p` while training; at inference multiplies each by 1 − p, which is the
 * expectation of what training gave.
 *
 * Source: Hinton et al. 2012; Srivastava et al. 2014, §4.
 *
 * @param x Any shape: the activations that enter the next layer's product, without its bias.
 * @param p Drop probability, in [0, 1].
 * @param options As of `invertedDropout`; with `training: false` the output is (1 − p)·x.
 * @returns `output`, of `x`'s shape and type, and the `pass` that the backward pass needs.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if `p` is not a number, the stream is missing, or an option is not known or does not fit.
 */
export function standardDropout(x: Tensor, p: number, options: DropoutOptions = {}): DropoutResult {
  return dropout("standardDropout", x, p, { training: 1, evaluation: 1 - p }, options);
}

/**
 * The gradient of standard dropout: it passes where the mask kept, unscaled; after evaluation it is multiplied by 1 − p.
 *
 * @param gradOutput Gradient with respect to the output.
 * @param pass What the forward pass returned.
 * @param options.out Receives the gradient; may be `gradOutput` itself.
 * @throws {TypeError} if the gradient has not the shape of the forward pass, or `pass` is not one.
 */
export function standardDropoutBackward(
  gradOutput: Tensor,
  pass: DropoutPass,
  options: OutOptions = {},
): Tensor {
  return dropoutBackward("standardDropoutBackward", gradOutput, pass, options);
}

/**
 * The weights that inference needs after training with standard dropout: (1 − p)·W. The bias stays as it is.
 *
 * @param weight The trained weights that multiply the dropped-out activations. Not changed, unless given as `out`.
 * @param p Drop probability of those activations, in [0, 1].
 * @returns A new tensor of the same shape and type, or `out`.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 */
export function inferenceWeight(weight: Tensor, p: number, options: OutOptions = {}): Tensor {
  checkTensor("inferenceWeight", weight);
  checkDropProbability(p);
  checkOptions("inferenceWeight", options, ["out"]);
  return applyScale("inferenceWeight", weight, 1 - p, options.out);
}

/**
 * Standard dropout as a layer: masks in training mode, and multiplies by 1 − p in evaluation mode.
 *
 * @example
 * ```ts
 * import { ones, StandardDropout } from "../mod.ts";
 *
 * const dropout = new StandardDropout(0.5, { seed: 42 });
 * console.log(dropout(ones([2, 3])).toArray()); // zeros and ones
 * console.log(dropout.eval()(ones([2, 3])).toArray()); // 0.5 everywhere
 * ```
 */
export class StandardDropout extends DropoutLayer {
  /**
   * A layer in training mode.
   *
   * @param p Drop probability, in [0, 1]. Default 0.5.
   * @param options.rng Any stream; it belongs to whoever made it.
   * @param options.seed Short for a FastStream of the layer's own with that seed; by default fresh entropy.
   * @param options.noiseShape The shape in which decisions are drawn; by default that of the input.
   * @throws {RangeError} if `p` is NaN or outside [0, 1], or the seed is negative or fractional.
   */
  constructor(p?: number, options?: DropoutLayerOptions) {
    super(p, options, "[0, 1]");
  }

  /** Standard dropout. */
  protected override drop(x: Tensor, options: DropoutOptions): DropoutResult {
    return standardDropout(x, this.p, options);
  }
}
