/**
 * Alpha dropout: dropout for networks whose activations have mean 0 and variance 1, and are to keep both.
 * @module
 */

import type { OutOptions, Tensor } from "../tensor/mod.ts";
import { checkDropProbability, type Mask } from "../mask.ts";
import {
  dropout,
  dropoutBackward,
  type DropoutOptions,
  type DropoutPass,
  type DropoutResult,
} from "./apply.ts";
import { DropoutLayer, type DropoutLayerOptions } from "./layer.ts";

/** α′ = −λα: what SELU tends to at −∞, with λ = 1.0507009873554805 and α = 1.6732632423543773. */
const SATURATION = -1.7580993408473766;

/**
 * Sets each element to α′ with probability `p`, where SELU saturates, and then gives all of them the affine map
 * a·x + b that keeps mean 0 and variance 1.
 *
 * With a mask m of mean q = 1 − p, y = a·(m·x + (1 − m)·α′) + b. For x of mean 0 and variance 1, m·x + (1 − m)·α′ has
 * the mean p·α′ and the variance q·(1 + p·α′²): so a = (q·(1 + p·α′²))^(−½) and b = −a·p·α′.
 *
 * For one given x, though, E[y] is a·q·x and not x, and the variance is a²·p·q·(x − α′)². The gradient is a·m.
 *
 * Source: Klambauer et al. 2017, "Self-Normalizing Neural Networks", under "New Dropout Technique".
 *
 * @example
 * ```ts
 * import { alphaDropout, defaultRng, mean, normal, variance } from "../mod.ts";
 *
 * const rng = defaultRng(42);
 * const { output } = alphaDropout(normal([1000, 100], { rng }), 0.2, { rng });
 * console.log(mean(output), variance(output)); // close to 0 and 1
 * ```
 *
 * @param x Any shape.
 * @param p Drop probability, in [0, 1]. `p = 1` gives zeros, and zero gradients: what all elements tend to then, and what
 *   PyTorch gives.
 * @param options As of `invertedDropout`. What is dropped becomes a·α′ + b, also where it was NaN or infinite.
 * @returns `output`, of `x`'s shape and type, and the `pass` that the backward pass needs.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if `p` is not a number, the stream is missing, or an option is not known or does not fit.
 */
export function alphaDropout(x: Tensor, p: number, options: DropoutOptions = {}): DropoutResult {
  const a = scaleOf(p);
  const result = dropout("alphaDropout", x, p, { training: a, evaluation: 1 }, options);
  if (result.pass.mask !== null) shift(result.output, result.pass.mask, a, p);
  return result;
}

/** a, computed as PyTorch does; 0 at p = 1, where nothing is left. */
function scaleOf(p: number): number {
  checkDropProbability(p);
  return p === 1 ? 0 : 1 / Math.sqrt((SATURATION * SATURATION * p + 1) * (1 - p));
}

/** Adds b to what was kept, and a·α′ + b to the zeros; each step is rounded to the tensor's type, as in PyTorch. */
function shift({ data, shape, dtype }: Tensor, mask: Mask, a: number, p: number): void {
  const round = dtype === "float32" ? Math.fround : Number;
  const b = round(-SATURATION * a * p);
  const dropped = round(round(SATURATION * a) + b);
  const { bits } = mask.broadcastTo(shape);
  for (let i = 0; i < data.length; i++) data[i] += (bits[i >> 3] >> (i & 7)) & 1 ? b : dropped;
}

/**
 * The gradient of alpha dropout: what was dropped passes nothing back, the rest is multiplied by a.
 *
 * @param gradOutput Gradient with respect to the output.
 * @param pass What the forward pass returned.
 * @param options.out Receives the gradient; may be `gradOutput` itself.
 * @throws {TypeError} if the gradient has not the shape of the forward pass, or `pass` is not one.
 */
export function alphaDropoutBackward(
  gradOutput: Tensor,
  pass: DropoutPass,
  options: OutOptions = {},
): Tensor {
  return dropoutBackward("alphaDropoutBackward", gradOutput, pass, options);
}

/**
 * Alpha dropout as a layer: drops to α′ and rescales in training mode, and returns its input itself in evaluation mode.
 *
 * @example
 * PyTorch's `FeatureAlphaDropout` drops whole channels:
 * ```ts
 * import { AlphaDropout, ones } from "../mod.ts";
 *
 * const dropout = new AlphaDropout(0.5, { seed: 42, noiseShape: [null, null, 1] });
 * console.log(dropout(ones([2, 3, 4])).toArray());
 * ```
 */
export class AlphaDropout extends DropoutLayer {
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

  /** Alpha dropout. */
  protected override drop(x: Tensor, options: DropoutOptions): DropoutResult {
    return alphaDropout(x, this.p, options);
  }
}
