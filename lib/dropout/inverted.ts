/**
 * Inverted dropout: the survivors are scaled while training, so that evaluation needs no correction.
 * @module
 */

import { checkDropProbability, type Mask } from "../mask.ts";
import type { OutOptions, Tensor } from "../tensor/mod.ts";
import { applyMask, drawAndApply, passThrough } from "./apply.ts";
import {
  checkTensor,
  DropoutLayer,
  type DropoutLayerOptions,
  type DropoutOptions,
  type DropoutResult,
} from "./layer.ts";

/**
 * Zeroes each element with probability `p` and multiplies the survivors by 1/(1 − p), so that the expectation of the
 * output is the input.
 *
 * @param x Any shape.
 * @param p Drop probability, in [0, 1]. `p = 1` gives zeros, and zero gradients.
 * @param options.rng Advanced by one draw per element. Required while training, unless p is 0.
 * @param options.training False: the output is `x` itself and the mask is `null`. Default true.
 * @param options.out Receives the output; may be `x` itself.
 * @param options.mask Receives the mask, so that nothing is allocated; shaped like `x`.
 * @returns `output`, of `x`'s shape and type, and the `mask` that the backward pass needs.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if `p` is not a number, the stream is missing, or `out` does not fit.
 * Source: Srivastava et al. 2014, §10 (there, p is the probability of keeping).
 */
export function invertedDropout(x: Tensor, p: number, options: DropoutOptions = {}): DropoutResult {
  checkTensor(x);
  checkDropProbability(p);
  const { training = true, out } = options;
  if (!training || p === 0) return { output: passThrough(x, { out }), mask: null };
  return drawAndApply(x, p, survivorScale(p), options);
}

/**
 * The gradient of inverted dropout: what was dropped passes nothing back, the rest is multiplied by 1/(1 − p).
 *
 * @param gradOutput Gradient with respect to the output.
 * @param mask The mask of the forward pass, or `null` if it had none.
 * @param p Drop probability of the forward pass, in [0, 1].
 * @returns The gradient with respect to the input.
 * @throws {TypeError} if the shapes of gradient and mask differ.
 */
export function invertedDropoutBackward(
  gradOutput: Tensor,
  mask: Mask | null,
  p: number,
  out: OutOptions = {},
): Tensor {
  checkDropProbability(p);
  return mask === null ? passThrough(gradOutput, out) : applyMask(gradOutput, mask, survivorScale(p), out);
}

/** 1/(1 − p), computed as the article does; 0 at p = 1, where nothing survives. */
export function survivorScale(p: number): number {
  return p === 1 ? 0 : 1 / (1 - p);
}

/**
 * Inverted dropout as a layer with its own random stream.
 *
 * @example
 * ```ts
 * import { InvertedDropout } from "./mod.ts";
 * import { ones } from "../tensor/mod.ts";
 *
 * const dropout = new InvertedDropout(0.5, { seed: 42 });
 * console.log(dropout(ones([2, 3])).toArray()); // zeros and twos
 * console.log(dropout.eval()(ones([2, 3])).toArray()); // ones
 * ```
 */
export class InvertedDropout extends DropoutLayer<Mask | null> {
  /**
   * A layer in training mode.
   *
   * @param p Drop probability, in [0, 1). Default 0.5.
   * @param options.seed Seed of the stream; by default fresh entropy.
   * @param options.stream `"numpy"` (default) draws as NumPy's `default_rng`, `"fast"` from a FastStream.
   * @throws {RangeError} if `p` is NaN or outside [0, 1), or the seed is negative or fractional.
   * @throws {TypeError} if `p` or the seed is not a number.
   */
  constructor(p = 0.5, options: DropoutLayerOptions = {}) {
    super(p, options, true);
  }

  /**
   * Drops and scales in training mode; returns `x` itself in evaluation mode.
   *
   * @param x Any shape. Not changed, unless it is also given as `out`.
   */
  override forward(x: Tensor, out: OutOptions = {}): Tensor {
    const { output, mask } = invertedDropout(x, this.p, { ...out, rng: this.rng, training: this.training });
    this.remember(x.shape, mask);
    return output;
  }

  /**
   * The gradient that belongs to the last forward pass: through its mask if it was in training mode, the identity if
   * it was in evaluation mode, whatever the mode is now.
   *
   * @param gradOutput Shaped like the last input.
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor, out: OutOptions = {}): Tensor {
    return invertedDropoutBackward(gradOutput, this.recall(gradOutput), this.p, out);
  }
}
