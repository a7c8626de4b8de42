/**
 * Batch normalization of tensors of shape [N, C] by kernels.
 * @module
 */

import { type FloatArray, input, kernelsFor, output, PANELS, update } from "./kernels.ts";

/** How many rows and columns. */
export type Size = readonly [rows: number, columns: number];

/** Vectors of one number for each channel, side by side: kernels take them together, in the order of the fields below. */
export function channelVectors(count: number, channels: number): Float64Array[] {
  const all = new Float64Array(count * channels);
  const vectors: Float64Array[] = [];
  for (let i = 0; i < count; i++) vectors.push(all.subarray(i * channels, (i + 1) * channels));
  return vectors;
}

/** What goes into a forward pass: weight to deviation are the `channelVectors` of one call. */
export interface Forward {
  /** The input. */
  x: FloatArray;
  /** γ. */
  weight: Float64Array;
  /** β. */
  bias: Float64Array;
  /** Written unless `given`. */
  mean: Float64Array;
  /** Biased; written unless `given`. */
  variance: Float64Array;
  /** Receives √(variance + eps). */
  deviation: Float64Array;
  /** True if mean and variance are given. */
  given: boolean;
  /** Added to the variance. */
  eps: number;
  /** Receives (x − mean) / deviation. */
  normalized: FloatArray;
  /** Receives weight · normalized + bias. */
  y: FloatArray;
}

/** What goes into a backward pass: weight to gradBias are the `channelVectors` of one call. */
export interface Backward {
  /** The gradient with respect to the output. */
  g: FloatArray;
  /** From the forward pass. */
  normalized: FloatArray;
  /** γ. */
  weight: Float64Array;
  /** From the forward pass. */
  deviation: Float64Array;
  /** Receives Σ normalized · g. */
  gradWeight: Float64Array;
  /** Receives Σ g. */
  gradBias: Float64Array;
  /** Values per channel; infinite if mean and variance did not depend on the input. */
  n: number;
  /** Receives weight/deviation · (g − gradBias/n − normalized · gradWeight/n). */
  gradInput: FloatArray;
}

/** From this variance on, float32 is too narrow for sums of squares, and for what lies between input and output. */
const LARGEST_SINGLE = 2 ** 120;

/** True if a channel of float32 numbers has to be normalized in float64; NaN counts, too. */
export function isWide(variance: number): boolean {
  return !(variance < LARGEST_SINGLE);
}

/**
 * The forward pass.
 *
 * @returns False, having done nothing, where the readable path has to serve.
 */
export function forward(size: Size, pass: Forward): boolean {
  const { x, weight, variance, given, eps, normalized, y } = pass;
  const isSingle = x instanceof Float32Array;
  if (!fits(size) || (given && isSingle && variance.some(isWide))) return false;
  const channels = new Float64Array(weight.buffer); // all vectors
  const kernels = kernelsFor(x, y, normalized, channels);
  if (kernels === undefined) return false;
  const { momentsF32, momentsF64, normalizeF32, normalizeF64 } = kernels.functions;
  const [moments, normalize] = isSingle ? [momentsF32, normalizeF32] : [momentsF64, normalizeF64];
  const [rows, columns] = size;
  const operands = [input(x), update(channels), output(normalized), output(y)];
  return kernels.call(operands, (at, vectors, normalized, y) => {
    if (!given) {
      const [meanAt, varianceAt] = [vectors + 2 * 8 * columns, vectors + 3 * 8 * columns];
      moments(at, rows, columns, meanAt, varianceAt);
      if (isSingle && kernels.numbersAt(varianceAt, columns).some(isWide)) return false;
    }
    normalize(at, rows, columns, eps, vectors, normalized, y, PANELS);
  });
}

/** The backward pass; likewise. */
export function backward(size: Size, pass: Backward): boolean {
  const { g, normalized, weight, n, gradInput } = pass;
  if (!fits(size)) return false;
  const channels = new Float64Array(weight.buffer); // all vectors
  const kernels = kernelsFor(g, normalized, gradInput, channels);
  if (kernels === undefined) return false;
  const { gradientSumsF32, gradientSumsF64, propagateF32, propagateF64 } = kernels.functions;
  const isSingle = g instanceof Float32Array;
  const [addUp, propagate] = isSingle ? [gradientSumsF32, propagateF32] : [gradientSumsF64, propagateF64];
  const [rows, columns] = size;
  const operands = [input(g), input(normalized), update(channels), output(gradInput)];
  return kernels.call(operands, (g, normalized, vectors, gradInput) => {
    addUp(g, normalized, rows, columns, vectors + 2 * 8 * columns, vectors + 3 * 8 * columns);
    propagate(g, normalized, rows, columns, n, vectors, gradInput, PANELS);
  });
}

/** Kernels take four columns at a time; rounded vectors of this many columns fit behind the stage. */
function fits([, columns]: Size): boolean {
  return columns % 4 === 0 && columns <= 2 ** 15;
}
