/**
 * Batch normalization of tensors of shape [N, C] by kernels. Vectors hold one number for each channel.
 * @module
 */

import { type FloatArray, input, kernelsFor, output, PANELS } from "./instance.ts";

/** How many rows and columns. */
export type Size = readonly [rows: number, columns: number];

/** What goes into a forward pass. */
export interface Forward {
  /** The input. */
  x: FloatArray;
  /** Mean of each channel: read if `given`, else written. */
  mean: Float64Array;
  /** Biased variance of each channel: read if `given`, else written. */
  variance: Float64Array;
  /** True if mean and variance are given. */
  given: boolean;
  /** Added to the variance. */
  eps: number;
  /** γ. */
  weight: Float64Array;
  /** β. */
  bias: Float64Array;
  /** Receives √(variance + eps). */
  deviation: Float64Array;
  /** Receives (x − mean) / deviation. */
  normalized: FloatArray;
  /** Receives γ · normalized + β. */
  y: FloatArray;
}

/** What goes into a backward pass. */
export interface Backward {
  /** The gradient with respect to the output. */
  g: FloatArray;
  /** From the forward pass. */
  normalized: FloatArray;
  /** Receives Σ normalized · g. */
  gradWeight: Float64Array;
  /** Receives Σ g. */
  gradBias: Float64Array;
}

/** What turns the gradient of the output into that of the input. */
export interface Through {
  /** The gradient with respect to the output. */
  g: FloatArray;
  /** From the forward pass. */
  normalized: FloatArray;
  /** γ / deviation. */
  scale: Float64Array;
  /** What is subtracted because each input moves the mean. */
  throughMean: Float64Array;
  /** What is subtracted, times `normalized`, because each input moves the variance. */
  throughVariance: Float64Array;
  /** Receives scale · (g − throughMean − normalized · throughVariance). */
  gradInput: FloatArray;
}

/**
 * The forward pass.
 *
 * @returns False, having done nothing, where the readable path has to serve.
 */
export function forward(size: Size, pass: Forward): boolean {
  const { x, mean, variance, given, eps, weight, bias, deviation, normalized, y } = pass;
  const kernels = fits(size) ? kernelsFor(x, y, normalized) : undefined;
  if (kernels === undefined) return false;
  const { momentsF32, momentsF64, normalizeF32, normalizeF64 } = kernels.functions;
  const isSingle = x instanceof Float32Array;
  const [moments, normalize] = isSingle ? [momentsF32, normalizeF32] : [momentsF64, normalizeF64];
  const statistics = [mean, variance].map(given ? input : output);
  const operands = [
    input(x),
    ...statistics,
    input(weight),
    input(bias),
    ...[deviation, normalized, y].map(output),
  ];
  kernels.call(operands, (x, mean, variance, weight, bias, deviation, normalized, y) => {
    if (!given) moments(x, ...size, mean, variance);
    normalize(x, ...size, mean, variance, eps, weight, bias, deviation, normalized, y, PANELS);
  });
  return true;
}

/** The sums of the backward pass; likewise. */
export function gradientSums(size: Size, { g, normalized, gradWeight, gradBias }: Backward): boolean {
  const kernels = fits(size) ? kernelsFor(g, normalized) : undefined;
  if (kernels === undefined) return false;
  const { gradientSumsF32, gradientSumsF64 } = kernels.functions;
  const kernel = g instanceof Float32Array ? gradientSumsF32 : gradientSumsF64;
  const operands = [input(g), input(normalized), output(gradWeight), output(gradBias)];
  kernels.call(operands, (g, normalized, weight, bias) => kernel(g, normalized, ...size, weight, bias));
  return true;
}

/** The gradient with respect to the input; likewise. */
export function propagate(size: Size, through: Through): boolean {
  const { g, normalized, scale, throughMean, throughVariance } = through;
  const kernels = fits(size) ? kernelsFor(g, normalized, through.gradInput) : undefined;
  if (kernels === undefined) return false;
  const { gradInputF32, gradInputF64 } = kernels.functions;
  const kernel = g instanceof Float32Array ? gradInputF32 : gradInputF64;
  const operands = [
    ...[g, normalized, scale, throughMean, throughVariance].map(input),
    output(through.gradInput),
  ];
  kernels.call(operands, (g, normalized, scale, mean, variance, out) => {
    kernel(g, normalized, ...size, scale, mean, variance, out, PANELS);
  });
  return true;
}

/** Kernels take four columns at a time; rounded vectors of this many columns fit behind the stage. */
function fits([, columns]: Size): boolean {
  return columns % 4 === 0 && columns <= 2 ** 16;
}
