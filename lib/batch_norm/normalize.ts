/**
 * Batch normalization as a pair of functions.
 *
 * The arithmetic itself is in `arithmetic.ts`.
 * @module
 */

import { checkInstance, checkInteger, checkOptions, checkRange, describe, formatShape } from "../check.ts";
import { channelVectors } from "../simd/batch_norm.ts";
import { type OutOptions, Tensor } from "../tensor/mod.ts";
import { checkTensor, overlaps, resultTensor } from "../tensor/tensor.ts";
import { backward, forward, type Layout } from "./arithmetic.ts";

/** A mean and a variance for each channel, each of shape [C]. */
export interface ChannelStatistics {
  /** The means. */
  mean: Tensor;
  /** The variances. */
  variance: Tensor;
}

/** Options of `batchNorm`. */
export interface BatchNormOptions extends OutOptions {
  /** γ, of shape [C]; by default 1. */
  weight?: Tensor | undefined;
  /** β, of shape [C]; by default 0. */
  bias?: Tensor | undefined;
  /** Normalize with these, as evaluation does; by default with those of the batch, as training does. */
  statistics?: ChannelStatistics | undefined;
  /** Added to the variance, so that a constant channel does not divide by zero. Default 10⁻⁵. */
  eps?: number;
  /** Which axis the channels are on. Default 1, as in PyTorch; −1, the last, as in Keras, TF.js and Flax. */
  axis?: number;
  /** Receives what the backward pass needs, so that nothing is allocated; of the input's shape and type. */
  normalized?: Tensor | undefined;
}

/** What a backward pass needs to know about its forward pass. */
export interface BatchNormPass {
  /** (x − mean) / √(variance + eps), of the input's shape and type. */
  normalized: Tensor;
  /** √(variance + eps) for each channel, float64. */
  deviation: Tensor;
  /** γ for each channel, float64. */
  weight: Tensor;
  /** True if mean and variance came from the batch, so that the gradient also flows through them. */
  ofBatch: boolean;
  /** Which axis the channels are on. */
  axis: number;
}

/** What a forward pass returns. */
export interface BatchNormResult {
  /** γ · normalized + β, of the input's shape and type. */
  output: Tensor;
  /** The mean and the biased variance (divided by n) of the batch, or the statistics that were given. */
  statistics: ChannelStatistics;
  /** For the backward pass. */
  pass: BatchNormPass;
}

/** What a backward pass returns. */
export interface BatchNormGradients {
  /** With respect to the input, of the type of `gradOutput`. */
  gradInput: Tensor;
  /** With respect to γ, of shape [C], float64. */
  gradWeight: Tensor;
  /** With respect to β, of shape [C], float64. */
  gradBias: Tensor;
}

/**
 * Shifts and scales each channel to mean 0 and variance 1, then by γ and β.
 *
 * Source: Ioffe and Szegedy 2015.
 *
 * @example
 * ```ts
 * import { batchNorm, batchNormBackward, ones, tensor } from "../mod.ts";
 *
 * const { output, statistics, pass } = batchNorm(tensor([[1, 10], [3, 30]]));
 * console.log(output.toArray(), statistics.mean.toArray()); // close to [[-1, -1], [1, 1]]; [2, 20]
 * console.log(batchNormBackward(ones([2, 2]), pass).gradBias.toArray()); // [2, 2]
 * ```
 *
 * @param x Shape [N, C] or [N, C, …], as [N, C, H, W]; with `axis: -1` also [N, …, C], as [N, H, W, C]. Not changed.
 * @param options.axis Which axis the channels are on; negative ones count from the end. Default 1.
 * @param options.statistics Given: evaluation. Missing: training, with the statistics of all elements of a channel.
 * @param options.out Receives the output; may be `x` itself.
 * @throws {TypeError} if `x` has fewer than two axes, `out` or `normalized` does not fit, or an option does not hold one number for each channel.
 * @throws {RangeError} if the batch's own statistics are needed and a channel has fewer than two values, `eps` is
 *   negative, or `x` has no such axis.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): BatchNormResult {
  checkOptions("batchNorm", options, ["weight", "bias", "statistics", "eps", "normalized", "out", "axis"]);
  const { eps = 1e-5, axis = 1, statistics } = options;
  const layout = layoutOf(x, axis);
  const { channels } = layout;
  checkEps(eps);
  if (statistics !== undefined) {
    checkInstance("batchNorm: statistics", statistics, Object, "{ mean, variance }");
  }
  const given = statistics !== undefined;
  const [weight, bias, mean, variance, deviation] = channelVectors(5, channels);
  fill("weight", weight, options.weight, 1);
  fill("bias", bias, options.bias, 0);
  if (given) {
    fill("statistics.mean", mean, statistics.mean);
    fill("statistics.variance", variance, statistics.variance);
  }
  const output = resultTensor("batchNorm", x.shape, x.dtype, options.out, [x]);
  const normalized = resultTensor("batchNorm: normalized", x.shape, x.dtype, options.normalized, [x]);
  if (overlaps(normalized, x) || overlaps(normalized, output)) {
    throw new TypeError("batchNorm: normalized needs memory of its own, apart from the input and from out");
  }
  if (!given) checkCount(layout, x);
  const arrays = { x: x.data, normalized: normalized.data, y: output.data };
  forward(layout, { ...arrays, weight, bias, mean, variance, deviation, given, eps });
  return {
    output,
    statistics: { mean: new Tensor(mean), variance: new Tensor(variance) },
    pass: { normalized, deviation: new Tensor(deviation), weight: new Tensor(weight), ofBatch: !given, axis },
  };
}

/**
 * The gradients of batch normalization.
 *
 * In training each element of a channel also moves the channel's mean and variance, and through them all outputs:
 * gradInput = γ/σ · (g − mean(g) − normalized · mean(g · normalized)). In evaluation it is γ/σ · g.
 *
 * @param gradOutput Gradient with respect to the output.
 * @param pass What the forward pass returned.
 * @param options.out Receives `gradInput`; may be `gradOutput` itself.
 * @throws {TypeError} if the gradient does not have the shape of the forward pass, or `out` does not fit.
 */
export function batchNormBackward(
  gradOutput: Tensor,
  pass: BatchNormPass,
  options: OutOptions = {},
): BatchNormGradients {
  checkOptions("batchNormBackward", options, ["out"]);
  if (!(pass?.normalized instanceof Tensor)) {
    throw new TypeError(`batchNormBackward needs the pass that batchNorm returned, got ${describe(pass)}`);
  }
  const { out } = options;
  const { normalized, deviation, weight, ofBatch } = pass;
  checkTensor("batchNormBackward", gradOutput, normalized.shape);
  if (gradOutput.dtype !== normalized.dtype) {
    throw new TypeError(`The gradient must be ${normalized.dtype} as the input was, got ${gradOutput.dtype}`);
  }
  const layout = layoutOf(gradOutput, pass.axis);
  const gradInput = resultTensor("batchNormBackward", gradOutput.shape, gradOutput.dtype, out, [gradOutput]);
  if (overlaps(gradInput, normalized)) {
    throw new TypeError("batchNormBackward: out needs memory apart from what the forward pass left");
  }
  const n = ofBatch ? layout.samples * layout.inner : Infinity; // in evaluation nothing flows through mean and variance
  const [w, d, gradWeight, gradBias] = channelVectors(4, layout.channels);
  w.set(weight.data);
  d.set(deviation.data);
  const arrays = { g: gradOutput.data, normalized: normalized.data, gradInput: gradInput.data };
  backward(layout, { ...arrays, weight: w, deviation: d, gradWeight, gradBias, n });
  return { gradInput, gradWeight: new Tensor(gradWeight), gradBias: new Tensor(gradBias) };
}

/** Refuses what cannot be added to a variance. @throws {RangeError | TypeError} if it is no number in [0, ∞). */
export function checkEps(eps: number): void {
  checkRange("eps", eps);
}

/** @throws {RangeError} if a channel has no variance to normalize with. */
function checkCount({ samples, inner }: Layout, x: Tensor): void {
  if (samples * inner > 1) return;
  throw new RangeError(
    "Batch normalization needs more than 1 value per channel while training, " +
      `got an input of shape ${formatShape(x.shape)}`,
  );
}

/** All axes before that of the channels count as samples, all axes after it lie inside one. */
function layoutOf(x: Tensor, axis = 1): Layout {
  checkTensor("Batch normalization", x);
  if (x.ndim < 2) {
    throw new TypeError(
      `Batch normalization needs a tensor of shape [N, C] or [N, C, …], got ${formatShape(x.shape)}`,
    );
  }
  checkInteger("axis", axis, -x.ndim, x.ndim - 1);
  const { shape } = x;
  const at = axis < 0 ? axis + shape.length : axis;
  let [samples, inner] = [1, 1];
  for (let i = 0; i < at; i++) samples *= shape[i];
  for (let i = at + 1; i < shape.length; i++) inner *= shape[i];
  return { samples, channels: shape[at], inner };
}

/** Copies what was given, one number for each channel, or writes `value` for each if there is one. */
function fill(name: string, vector: Float64Array, given: Tensor | undefined, value?: number): void {
  if (given === undefined && value !== undefined) {
    vector.fill(value);
    return;
  }
  checkTensor(`batchNorm: ${name}`, given, [vector.length]);
  vector.set(given.data);
}
