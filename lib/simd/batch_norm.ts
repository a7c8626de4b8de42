/**
 * Batch normalization of tensors of shape [N, C] by kernels.
 * @module
 */

import { type FloatArray, input, kernelsFor, output, PANELS, update } from "./instance.ts";

/** How many rows and columns. */
export type Size = readonly [rows: number, columns: number];

/** What goes into a forward pass. */
export interface Forward {
  /** The input. */
  x: FloatArray;
  /**
   * One number for each channel, in one array: weight, bias, mean, variance, deviation. The deviation is written, mean
   * and variance are too unless they are `given`.
   */
  channels: Float64Array;
  /** True if mean and variance are given. */
  given: boolean;
  /** Added to the variance. */
  eps: number;
  /** Receives (x − mean) / deviation. */
  normalized: FloatArray;
  /** Receives weight · normalized + bias. */
  y: FloatArray;
}

/** What goes into a backward pass. */
export interface Backward {
  /** The gradient with respect to the output. */
  g: FloatArray;
  /** From the forward pass. */
  normalized: FloatArray;
  /** One number for each channel, in one array: weight, deviation, gradWeight, gradBias; the last two are written. */
  channels: Float64Array;
  /** Values per channel; infinite if mean and variance did not depend on the input. */
  n: number;
  /** Receives weight/deviation · (g − gradBias/n − normalized · gradWeight/n). */
  gradInput: FloatArray;
}

/**
 * The forward pass.
 *
 * @returns False, having done nothing, where the readable path has to serve.
 */
export function forward(size: Size, { x, channels, given, eps, normalized, y }: Forward): boolean {
  const kernels = fits(size) ? kernelsFor(x, y, normalized, channels) : undefined;
  if (kernels === undefined) return false;
  const { momentsF32, momentsF64, normalizeF32, normalizeF64 } = kernels.functions;
  const isSingle = x instanceof Float32Array;
  const [moments, normalize] = isSingle ? [momentsF32, normalizeF32] : [momentsF64, normalizeF64];
  const [rows, columns] = size;
  kernels.call([input(x), update(channels), output(normalized), output(y)], (x, channels, normalized, y) => {
    if (!given) moments(x, rows, columns, channels + 2 * 8 * columns, channels + 3 * 8 * columns);
    normalize(x, rows, columns, eps, channels, normalized, y, PANELS);
  });
  return true;
}

/** The backward pass; likewise. */
export function backward(size: Size, { g, normalized, channels, n, gradInput }: Backward): boolean {
  const kernels = fits(size) ? kernelsFor(g, normalized, gradInput, channels) : undefined;
  if (kernels === undefined) return false;
  const { gradientSumsF32, gradientSumsF64, propagateF32, propagateF64 } = kernels.functions;
  const isSingle = g instanceof Float32Array;
  const [addUp, propagate] = isSingle ? [gradientSumsF32, propagateF32] : [gradientSumsF64, propagateF64];
  const [rows, columns] = size;
  const operands = [input(g), input(normalized), update(channels), output(gradInput)];
  kernels.call(operands, (g, normalized, channels, gradInput) => {
    addUp(g, normalized, rows, columns, channels + 2 * 8 * columns, channels + 3 * 8 * columns);
    propagate(g, normalized, rows, columns, n, channels, gradInput, PANELS);
  });
  return true;
}

/** Kernels take four columns at a time; rounded vectors of this many columns fit behind the stage. */
function fits([, columns]: Size): boolean {
  return columns % 4 === 0 && columns <= 2 ** 15;
}
