/**
 * Batch normalization as a pair of functions.
 *
 * The arithmetic itself is in `arithmetic.ts`.
 * @module
 */

import { type OutOptions, Tensor } from "../tensor/mod.ts";
import { describe, formatShape, overlaps, resultTensor, sameShape } from "../tensor/tensor.ts";
import { backward, forward, type Layout, vectorsOf } from "./arithmetic.ts";

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
 * @param options.out Receives the output; may be `x` itself.
 * @throws {TypeError} if `x` has fewer than two axes, `out` or `normalized` does not fit, or an option does not hold one number for each channel.
 * @throws {RangeError} if the batch's own statistics are needed and a channel has fewer than two values, or `eps`
 *   is negative.
 * Source: Ioffe and Szegedy 2015.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): BatchNormResult {
  const layout = layoutOf(x);
  const { channels } = layout;
  const { eps = 1e-5, statistics } = options;
  checkEps(eps);
  const vectors = new Float64Array(5 * channels);
  fillVector("weight", options.weight, vectors, 0, channels, 1);
  fillVector("bias", options.bias, vectors, 1, channels, 0);
  fillVector("mean", statistics?.mean, vectors, 2, channels, 0);
  fillVector("variance", statistics?.variance, vectors, 3, channels, 0);
  const output = resultTensor("batchNorm", x.shape, x.dtype, options.out, [x]);
  const normalized = resultTensor("batchNorm", x.shape, x.dtype, options.normalized, [x]);
  if (overlaps(normalized, x) || overlaps(normalized, output)) {
    throw new TypeError("batchNorm: normalized needs memory of its own, apart from the input and from out");
  }
  const given = statistics !== undefined;
  if (!given) checkCount(x);
  forward(layout, { x: x.data, channels: vectors, given, eps, normalized: normalized.data, y: output.data });
  const [weight, , mean, variance, deviation] = vectorsOf(vectors, 5);
  return {
    output,
    statistics: { mean: new Tensor(mean), variance: new Tensor(variance) },
    pass: { normalized, deviation: new Tensor(deviation), weight: new Tensor(weight), ofBatch: !given },
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
  { out }: OutOptions = {},
): BatchNormGradients {
  const { normalized, deviation, weight, ofBatch } = pass;
  if (!(gradOutput instanceof Tensor) || !sameShape(gradOutput.shape, normalized.shape)) {
    const came = gradOutput instanceof Tensor ? formatShape(gradOutput.shape) : describe(gradOutput);
    throw new TypeError(
      `The gradient must have the shape of the last forward pass, ${
        formatShape(normalized.shape)
      }, got ${came}`,
    );
  }
  if (gradOutput.dtype !== normalized.dtype) {
    throw new TypeError(`The gradient must be ${normalized.dtype} as the input was, got ${gradOutput.dtype}`);
  }
  const layout = layoutOf(gradOutput);
  const gradInput = resultTensor("batchNormBackward", gradOutput.shape, gradOutput.dtype, out, [gradOutput]);
  if (overlaps(gradInput, normalized)) {
    throw new TypeError("batchNormBackward: out needs memory apart from what the forward pass left");
  }
  const vectors = new Float64Array(4 * layout.channels);
  vectors.set(weight.data);
  vectors.set(deviation.data, layout.channels);
  const n = ofBatch ? layout.samples * layout.inner : Infinity; // in evaluation nothing flows through mean and variance
  const given = { g: gradOutput.data, normalized: normalized.data, gradInput: gradInput.data };
  backward(layout, { ...given, channels: vectors, n });
  const [, , gradWeight, gradBias] = vectorsOf(vectors, 4);
  return { gradInput, gradWeight: new Tensor(gradWeight), gradBias: new Tensor(gradBias) };
}

/** @throws {RangeError} if `eps` cannot be added to a variance. */
export function checkEps(eps: number): void {
  if (!(Number.isFinite(eps) && eps >= 0)) {
    throw new RangeError(`eps must be a number in [0, ∞), got ${describe(eps)}`);
  }
}

/** @throws {RangeError} if a channel has no variance to normalize with. */
function checkCount(x: Tensor): void {
  const { samples, inner } = layoutOf(x);
  if (samples * inner > 1) return;
  throw new RangeError(
    "Batch normalization needs more than 1 value per channel while training, " +
      `got an input of shape ${formatShape(x.shape)}`,
  );
}

function layoutOf(x: Tensor): Layout {
  if (!(x instanceof Tensor) || x.ndim < 2) {
    const came = x instanceof Tensor ? formatShape(x.shape) : describe(x);
    throw new TypeError(`Batch normalization needs a tensor of shape [N, C] or [N, C, …], got ${came}`);
  }
  const [samples, channels, ...rest] = x.shape;
  return { samples, channels, inner: rest.reduce((product, length) => product * length, 1) };
}

/** Copies what was given, one number for each channel, or writes `value` for each: the vector at this place. */
function fillVector(
  name: string,
  given: Tensor | undefined,
  vectors: Float64Array,
  place: number,
  channels: number,
  value: number,
): void {
  const start = place * channels;
  if (given === undefined) {
    vectors.fill(value, start, start + channels);
    return;
  }
  const shape = [channels];
  if (!(given instanceof Tensor) || !sameShape(given.shape, shape)) {
    const came = given instanceof Tensor ? `shape ${formatShape(given.shape)}` : describe(given);
    throw new TypeError(
      `${name} must have one number for each channel, shape ${formatShape(shape)}, got ${came}`,
    );
  }
  vectors.set(given.data, start);
}
