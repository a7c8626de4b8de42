/**
 * Inverted dropout: the survivors are scaled while training, so that evaluation needs no correction.
 * @module
 */

import { checkDropProbability } from "../mask.ts";
import type { OutOptions, Tensor } from "../tensor/mod.ts";
import {
  dropout,
  dropoutBackward,
  type DropoutOptions,
  type DropoutPass,
  type DropoutResult,
} from "./apply.ts";
import { DropoutLayer } from "./layer.ts";

/**
 * Zeroes each element with probability `p` and multiplies the survivors by 1/(1 − p), so that the expectation of the
 * output is the input.
 *
 * Source: Srivastava et al. 2014, §10 (there, p is the probability of keeping).
 *
 * @example
 * ```ts
 * import { defaultRng, invertedDropout, invertedDropoutBackward, ones } from "../mod.ts";
 *
 * const { output, pass } = invertedDropout(ones([2, 3]), 0.5, { rng: defaultRng(42) });
 * console.log(output.toArray()); // zeros and twos
 * console.log(invertedDropoutBackward(ones([2, 3]), pass).toArray()); // the same zeros and twos
 * ```
 *
 * @param x Any shape.
 * @param p Drop probability, in [0, 1]. `p = 1` gives zeros, and zero gradients.
 * @param options.rng Advanced by one draw per decision. Required while training, unless p is 0 or a mask is given.
 * @param options.training False: the output is `x` itself. Default true.
 * @param options.noiseShape The shape in which decisions are drawn, as `mod.ts` lists them; by default that of `x`.
 * @param options.mask Use this mask, which may broadcast, and draw none.
 * @param options.out Receives the output; may be `x` itself.
 * @param options.maskOut Receives the mask, so that nothing is allocated; of the noise shape, or else shaped like `x`.
 * @returns `output`, of `x`'s shape and type, and the `pass` that the backward pass needs.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if `p` is not a number, the stream is missing, or an option is not known or does not fit.
 */
export function invertedDropout(x: Tensor, p: number, options: DropoutOptions = {}): DropoutResult {
  return inverted("invertedDropout", x, p, options);
}

/** The same in the name of another function, which errors then name. */
export function inverted(where: string, x: Tensor, p: number, options: DropoutOptions): DropoutResult {
  return dropout(where, x, p, { training: survivorScale(p), evaluation: 1 }, options);
}

/**
 * The gradient of inverted dropout: what was dropped passes nothing back, the rest is multiplied by 1/(1 − p).
 *
 * @param gradOutput Gradient with respect to the output.
 * @param pass What the forward pass returned: its mask and its scale.
 * @param options.out Receives the gradient; may be `gradOutput` itself.
 * @returns The gradient with respect to the input.
 * @throws {TypeError} if the gradient has not the shape of the forward pass, or `pass` is not one.
 */
export function invertedDropoutBackward(
  gradOutput: Tensor,
  pass: DropoutPass,
  options: OutOptions = {},
): Tensor {
  return dropoutBackward("invertedDropoutBackward", gradOutput, pass, options);
}

/** 1/(1 − p), computed as the article does; 0 at p = 1, where nothing survives. */
export function survivorScale(p: number): number {
  checkDropProbability(p);
  return p === 1 ? 0 : 1 / (1 - p);
}

/**
 * Inverted dropout as a layer: drops and scales in training mode, and returns its input itself in evaluation mode.
 *
 * @example
 * ```ts
 * import { defaultRng, InvertedDropout, ones } from "../mod.ts";
 *
 * const dropout = new InvertedDropout(0.5, { seed: 42 });
 * console.log(dropout(ones([2, 3])).toArray()); // zeros and twos
 * console.log(dropout.eval()(ones([2, 3])).toArray()); // ones
 * const numpy = new InvertedDropout(0.5, { rng: defaultRng(42) }); // the article's masks, from NumPy's stream
 * console.log(numpy(ones([2, 3])).toArray());
 * ```
 */
export class InvertedDropout extends DropoutLayer {
  /** Inverted dropout. */
  protected override drop(x: Tensor, options: DropoutOptions): DropoutResult {
    return invertedDropout(x, this.p, options);
  }
}
