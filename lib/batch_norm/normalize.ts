/**
 * Batch normalization as a pair of functions.
 *
 * All arithmetic is in float64, in NumPy's order; a float32 result is rounded once, at the end.
 * @module
 */

import { sum, Tensor, zeros } from "../tensor/mod.ts";
import { describe, formatShape, sameShape } from "../tensor/tensor.ts";

/** A mean and a variance for each channel, each of shape [C]. */
export interface ChannelStatistics {
  /** The means. */
  mean: Tensor;
  /** The variances. */
  variance: Tensor;
}

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** γ, of shape [C]; by default 1. */
  weight?: Tensor | undefined;
  /** β, of shape [C]; by default 0. */
  bias?: Tensor | undefined;
  /** Normalize with these, as evaluation does; by default with those of the batch, as training does. */
  statistics?: ChannelStatistics | undefined;
  /** Added to the variance, so that a constant channel does not divide by zero. Default 10⁻⁵. */
  eps?: number;
}

/** What a backward pass needs to know about its forward pass. */
export interface BatchNormPass {
  /** (x − mean) / √(variance + eps), float64. */
  normalized: Tensor;
  /** √(variance + eps) for each channel. */
  deviation: Tensor;
  /** γ for each channel. */
  weight: Tensor;
  /** True if mean and variance came from the batch, so that the gradient also flows through them. */
  ofBatch: boolean;
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
 * @param x Shape [N, C] or [N, C, …], as [N, C, H, W]. Not changed.
 * @param options.statistics Given: evaluation. Missing: training, with the statistics of all elements of a channel.
 * @throws {TypeError} if `x` has fewer than two axes, or an option does not hold one number for each channel.
 * @throws {RangeError} if the batch's own statistics are needed and a channel has fewer than two values, or `eps`
 *   is negative.
 * Source: Ioffe and Szegedy 2015.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): BatchNormResult {
  const { channels, inner } = layoutOf(x);
  const { eps = 1e-5, statistics } = options;
  checkEps(eps);
  const weight = channelVector("weight", options.weight, channels, 1);
  const bias = channelVector("bias", options.bias, channels, 0);
  const used = statistics === undefined ? batchStatistics(x) : {
    mean: channelVector("mean", statistics.mean, channels, 0),
    variance: channelVector("variance", statistics.variance, channels, 1),
  };
  const deviation = used.variance.map((value) => Math.sqrt(value + eps));
  const normalized = zeros(x.shape);
  const output = zeros(x.shape, x.dtype);
  const [from, to, kept] = [x.data, output.data, normalized.data];
  for (let i = 0, next = 0; i < from.length; i += inner, next++) {
    const c = next % channels;
    const center = used.mean.data[c], width = deviation.data[c], gamma = weight.data[c], beta = bias.data[c];
    for (let j = i; j < i + inner; j++) {
      // Divided, not multiplied by the reciprocal: this is what the article's NumPy code does, digit for digit.
      const value = (from[j] - center) / width;
      kept[j] = value;
      to[j] = gamma * value + beta;
    }
  }
  const pass = { normalized, deviation, weight, ofBatch: statistics === undefined };
  return { output, statistics: used, pass };
}

/**
 * The gradients of batch normalization.
 *
 * In training each element of a channel also moves the channel's mean and variance, and through them all outputs:
 * gradInput = γ/σ · (g − mean(g) − normalized · mean(g · normalized)). In evaluation it is γ/σ · g.
 *
 * @param gradOutput Gradient with respect to the output.
 * @param pass What the forward pass returned.
 * @throws {TypeError} if the gradient does not have the shape of the forward pass.
 */
export function batchNormBackward(gradOutput: Tensor, pass: BatchNormPass): BatchNormGradients {
  const { normalized, deviation, weight, ofBatch } = pass;
  if (!(gradOutput instanceof Tensor) || !sameShape(gradOutput.shape, normalized.shape)) {
    const came = gradOutput instanceof Tensor ? formatShape(gradOutput.shape) : describe(gradOutput);
    throw new TypeError(
      `The gradient must have the shape of the last forward pass, ${
        formatShape(normalized.shape)
      }, got ${came}`,
    );
  }
  const { channels, inner, count } = layoutOf(gradOutput);
  const gradBias = channelSum(widen(gradOutput));
  const gradWeight = channelSum(normalized.map((value, i) => value * gradOutput.data[i]));
  const gradInput = zeros(gradOutput.shape, gradOutput.dtype);
  for (let i = 0; i < gradInput.size; i += inner) {
    const c = (i / inner) % channels;
    const scale = weight.data[c] / deviation.data[c];
    const throughMean = ofBatch ? gradBias.data[c] / count : 0;
    const throughVariance = ofBatch ? gradWeight.data[c] / count : 0;
    for (let j = i; j < i + inner; j++) {
      gradInput.data[j] = scale *
        (gradOutput.data[j] - throughMean - normalized.data[j] * throughVariance);
    }
  }
  return { gradInput, gradWeight, gradBias };
}

/** @throws {RangeError} if `eps` cannot be added to a variance. */
export function checkEps(eps: number): void {
  if (!(Number.isFinite(eps) && eps >= 0)) {
    throw new RangeError(`eps must be a number in [0, ∞), got ${describe(eps)}`);
  }
}

/** Mean and biased variance of each channel: NumPy's `x.mean(axis=0)` and `x.var(axis=0)`, also for more axes. */
function batchStatistics(x: Tensor): ChannelStatistics {
  const { channels, inner, count } = layoutOf(x);
  if (count < 2) {
    throw new RangeError(
      "Batch normalization needs more than 1 value per channel while training, " +
        `got an input of shape ${formatShape(x.shape)}`,
    );
  }
  const mean = channelSum(widen(x)).map((total) => total / count);
  const squares = zeros(x.shape);
  const [from, to] = [x.data, squares.data];
  for (let i = 0, next = 0; i < from.length; i += inner, next++) {
    const center = mean.data[next % channels];
    for (let j = i; j < i + inner; j++) to[j] = (from[j] - center) * (from[j] - center);
  }
  return { mean, variance: channelSum(squares).map((total) => total / count) };
}

/** The axes as [N, C, everything else], and how many values a channel has. */
function layoutOf(x: Tensor): { channels: number; inner: number; count: number } {
  if (!(x instanceof Tensor) || x.ndim < 2) {
    const came = x instanceof Tensor ? formatShape(x.shape) : describe(x);
    throw new TypeError(`Batch normalization needs a tensor of shape [N, C] or [N, C, …], got ${came}`);
  }
  const [n, channels, ...rest] = x.shape;
  const inner = rest.reduce((product, length) => product * length, 1);
  return { channels, inner, count: n * inner };
}

/** The sum of each channel: first over what lies inside it, then over the samples, one after the other. */
function channelSum(x: Tensor): Tensor {
  const { channels, inner } = layoutOf(x);
  const [n] = x.shape;
  const rows = inner === 1 ? x.reshape([n, channels]) : sum(x.reshape([n, channels, inner]), { axis: 2 });
  return sum(rows, { axis: 0 });
}

/** A float64 copy of one number for each channel, or `value` for each. */
function channelVector(name: string, given: Tensor | undefined, channels: number, value: number): Tensor {
  if (given === undefined) return zeros([channels]).map(() => value);
  if (!(given instanceof Tensor) || !sameShape(given.shape, [channels])) {
    const came = given instanceof Tensor ? `shape ${formatShape(given.shape)}` : describe(given);
    throw new TypeError(`${name} must have one number for each channel, shape [${channels}], got ${came}`);
  }
  return new Tensor(Float64Array.from(given.data), given.shape);
}

/** The tensor itself if it is float64, else a float64 copy. */
function widen(x: Tensor): Tensor {
  return x.dtype === "float64" ? x : new Tensor(Float64Array.from(x.data), x.shape);
}
