/**
 * Gaussian dropout: multiplicative noise that is normal in place of zero or 1/(1 − p).
 * @module
 */

import { checkFlag, checkOptions } from "../check.ts";
import { checkDropProbability } from "../mask.ts";
import type { NormalStream } from "../random/mod.ts";
import { checkNormals } from "../random/stream.ts";
import { type OutOptions, type Shape, Tensor, zeros } from "../tensor/mod.ts";
import { checkTensor, overlaps, resultTensor } from "../tensor/tensor.ts";
import {
  applyNoise,
  applyScale,
  checkNoise,
  checkNotGiven,
  dropoutBackward,
  type DropoutOptions,
  type DropoutPass,
  type DropoutResult,
  OPTIONS,
} from "./apply.ts";
import { DropoutLayer, type DropoutLayerOptions } from "./layer.ts";
import { drawnShape } from "./noise_shape.ts";

/** Options of `gaussianDropout`: its masks are numbers, and come from a stream that has normal ones. */
export interface GaussianDropoutOptions extends Omit<DropoutOptions<Tensor>, "rng"> {
  /** The stream that the noise is drawn from. Required while training, unless p is 0 or a mask is given. */
  rng?: NormalStream | undefined;
}

/** Options of the layer: a stream that has normal numbers, or a seed. */
export interface GaussianDropoutLayerOptions extends DropoutLayerOptions {
  /** Any stream but a KeyedStream. It belongs to whoever made it, and may be shared. */
  rng?: NormalStream;
}

/**
 * Multiplies each element by a number of its own from N(1, p/(1 − p)) while training.
 *
 * The noise of inverted dropout, m/(1 − p) with a mask m, has the mean 1 and the variance
 * (1 − p)/(1 − p)² − 1 = p/(1 − p): Gaussian dropout has the same two moments, so that E[y] = x and Var[y] = x²·p/(1 − p)
 * under both. Nothing is dropped, and signs may change: where the noise is negative, with probability
 * Φ(−√((1 − p)/p)), which is 0.16 at p = ½.
 *
 * Source: Srivastava et al. 2014, §10 (there, p is the probability of keeping).
 *
 * @example
 * ```ts
 * import { defaultRng, gaussianDropout, gaussianDropoutBackward, ones } from "../mod.ts";
 *
 * const { output, pass } = gaussianDropout(ones([2, 3]), 0.2, { rng: defaultRng(42) });
 * console.log(output.toArray()); // 1 ± 0.5
 * console.log(gaussianDropoutBackward(ones([2, 3]), pass).toArray()); // the same
 * ```
 *
 * @param x Any shape.
 * @param p The drop probability whose noise this resembles, in [0, 1): at 1 the variance would be infinite.
 * @param options.rng Advanced by one normal number per decision. A KeyedStream has none.
 * @param options.training False: the output is `x` itself. Default true.
 * @param options.noiseShape The shape in which the noise is drawn, as `mod.ts` lists them; by default that of `x`.
 * @param options.mask Multiply by this tensor of `x`'s type, which may broadcast, and draw nothing.
 * @param options.out Receives the output; may be `x` itself.
 * @param options.maskOut Receives the noise, so that nothing is allocated; of the noise shape, or else shaped like `x`.
 * @returns `output`, of `x`'s shape and type, and the `pass` that the backward pass needs.
 * @throws {RangeError} if `p` is NaN or outside [0, 1).
 * @throws {TypeError} if `p` is not a number, the stream is missing or has no normal numbers, or an option is not known or
 *   does not fit; the stream is as it was then.
 */
export function gaussianDropout(
  x: Tensor,
  p: number,
  options: GaussianDropoutOptions = {},
): DropoutResult<Tensor> {
  checkTensor("gaussianDropout", x);
  checkDropProbability(p, "[0, 1)");
  checkOptions("gaussianDropout", options, OPTIONS);
  const { training = true, mask: given, out } = options;
  checkFlag("gaussianDropout: training", training);
  const { shape } = x;
  const drawn = checkMasks(x, options);
  if (!training || (p === 0 && given === undefined)) {
    return { output: applyScale("gaussianDropout", x, 1, out), pass: { shape, mask: null, scale: 1 } };
  }
  const output = resultTensor("gaussianDropout", shape, x.dtype, out, given ? [x, given] : [x]);
  const mask = given ?? drawNoise(x, p, drawn, options);
  return { output: applyNoise("gaussianDropout", x, mask, 1, output), pass: { shape, mask, scale: 1 } };
}

/**
 * Refuses noise that does not fit, also where none is needed: there the mistake would hide until training.
 *
 * @returns The shape of the noise that would be drawn.
 */
function checkMasks(x: Tensor, { mask, maskOut, noiseShape, out }: GaussianDropoutOptions): Shape {
  const drawn = drawnShape("gaussianDropout", noiseShape, x.shape);
  if (mask !== undefined) {
    checkNoise("gaussianDropout", mask, x);
    checkNotGiven("gaussianDropout", { maskOut, noiseShape });
  }
  if (maskOut !== undefined) resultTensor("gaussianDropout: maskOut", drawn, x.dtype, maskOut);
  const noise = mask ?? maskOut; // the backward pass will need it
  const isLost = noise !== undefined &&
    ((out instanceof Tensor && overlaps(noise, out)) || (noise === maskOut && overlaps(noise, x)));
  if (isLost) {
    throw new TypeError("gaussianDropout: the noise needs memory apart from the input and from out");
  }
  return drawn;
}

/** Normal numbers of mean 1 and variance p/(1 − p). */
function drawNoise(x: Tensor, p: number, shape: Shape, { rng, maskOut }: GaussianDropoutOptions): Tensor {
  checkNormals("gaussianDropout", rng);
  const noise = maskOut ?? zeros(shape, x.dtype);
  const { data } = noise;
  const deviation = Math.sqrt(p / (1 - p));
  rng.fillNormal(data);
  for (let i = 0; i < data.length; i++) data[i] = 1 + deviation * data[i];
  return noise;
}

/**
 * The gradient of Gaussian dropout: multiplied by the noise of the forward pass.
 *
 * @param gradOutput Gradient with respect to the output.
 * @param pass What the forward pass returned.
 * @param options.out Receives the gradient; may be `gradOutput` itself.
 * @throws {TypeError} if the gradient has not the shape or the type of the forward pass, or `pass` is not one.
 */
export function gaussianDropoutBackward(
  gradOutput: Tensor,
  pass: DropoutPass,
  options: OutOptions = {},
): Tensor {
  return dropoutBackward("gaussianDropoutBackward", gradOutput, pass, options);
}

/**
 * Gaussian dropout as a layer: multiplies by noise in training mode, and returns its input itself in evaluation mode.
 *
 * @example
 * ```ts
 * import { GaussianDropout, ones } from "../mod.ts";
 *
 * const dropout = new GaussianDropout(0.2, { seed: 42 });
 * console.log(dropout(ones([2, 3])).toArray()); // 1 ± 0.5
 * console.log(dropout.eval()(ones([2, 3])).toArray()); // ones
 * ```
 */
export class GaussianDropout extends DropoutLayer<Tensor> {
  /** The stream that the noise is drawn from. */
  declare rng: NormalStream;

  /**
   * A layer in training mode.
   *
   * @param p The drop probability whose noise this resembles, in [0, 1). Default 0.5.
   * @param options.rng Any stream that has normal numbers; it belongs to whoever made it.
   * @param options.seed Short for a FastStream of the layer's own with that seed; by default fresh entropy.
   * @param options.noiseShape The shape in which the noise is drawn; by default that of the input.
   * @throws {RangeError} if `p` is NaN or outside [0, 1), or the seed is negative or fractional.
   * @throws {TypeError} if the stream has no normal numbers.
   */
  constructor(p?: number, options?: GaussianDropoutLayerOptions) {
    super(p, options);
    checkNormals(this.constructor.name, this.rng);
  }

  /** Gaussian dropout. */
  protected override drop(x: Tensor, options: GaussianDropoutOptions): DropoutResult<Tensor> {
    return gaussianDropout(x, this.p, options);
  }
}
